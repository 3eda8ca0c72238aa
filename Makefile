PREFIX ?= /usr/local

.PHONY: release test install fuzz benchmark clean

release:
	swift build -c release

test:
	Scripts/setup --tests
	swift test

install: release
	install -D .build/release/lanecheck $(DESTDIR)$(PREFIX)/bin/lanecheck

fuzz:
	Scripts/fuzz-wire

benchmark:
	Benchmarks/run

clean:
	rm -rf .build Benchmarks/.build
