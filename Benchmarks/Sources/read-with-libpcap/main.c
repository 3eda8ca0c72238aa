/* Reads capture files one after the other with pcap_next_ex and looks at the first byte of each frame:
   the least that any reader of the files has to do. Prints frames, captured bytes and the sum of those bytes. */
#include <pcap/pcap.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

int main(int count, char **paths) {
  uint64_t frames = 0, bytes = 0, sum = 0;
  for (int i = 1; i < count; i++) {
    char reason[PCAP_ERRBUF_SIZE];
    pcap_t *capture =
        pcap_open_offline_with_tstamp_precision(paths[i], PCAP_TSTAMP_PRECISION_NANO, reason);
    if (capture == NULL) {
      fprintf(stderr, "%s: %s\n", paths[i], reason);
      return 2;
    }
    struct pcap_pkthdr *header;
    const u_char *data;
    int result;
    while ((result = pcap_next_ex(capture, &header, &data)) == 1) {
      frames++;
      bytes += header->caplen;
      if (header->caplen > 0) sum += data[0];
    }
    if (result == PCAP_ERROR) {
      fprintf(stderr, "%s: %s\n", paths[i], pcap_geterr(capture));
      return 2;
    }
    pcap_close(capture);
  }
  printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", frames, bytes, sum);
  return 0;
}
