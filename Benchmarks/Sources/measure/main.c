/* measure OUTPUT PROGRAM [ARGUMENT...]
   Runs a program with its standard output in a file, and prints its exit status, wall time and processor time in
   seconds, and its peak resident memory in bytes. A program of its own, because Linux counts the memory of the
   process that starts another as the other's peak: this one is small. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

int main(int count, char **words) {
  if (count < 3) {
    fprintf(stderr, "usage: measure OUTPUT PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t child = fork();
  if (child < 0) {
    perror("fork");
    return 2;
  }
  if (child == 0) {
    int output = open(words[1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (output < 0 || dup2(output, STDOUT_FILENO) < 0) {
      perror(words[1]);
      _exit(127);
    }
    execv(words[2], words + 2);
    perror(words[2]);
    _exit(127);
  }
  int status;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) {
      perror("wait4");
      return 2;
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (WIFSIGNALED(status)) {
    fprintf(stderr, "%s: ended by signal %d\n", words[2], WTERMSIG(status));
    return 2;
  }
  double wall = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  double processor = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  printf("%d %.6f %.6f %ld\n", WEXITSTATUS(status), wall, processor, usage.ru_maxrss * 1024L);
  return 0;
}
