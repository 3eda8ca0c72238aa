import Testing

@testable import Wire

@Suite struct AddressTextTests {
  @Test(arguments: [
    ("fa:16:3e:39:00:01", 0xfa16_3e39_0001 as UInt64), ("FA-16-3E-39-00-01", 0xfa16_3e39_0001),
    ("00:00:00:00:00:00", 0), ("ff:ff:ff:ff:ff:ff", 0xffff_ffff_ffff),
  ])
  func macAddressIsRead(text: String, value: UInt64) {
    #expect(MACAddress(text)?.rawValue == value)
  }

  @Test(arguments: [
    "", "fa:16:3e:39:00", "fa:16:3e:39:00:01:", "fa:16:3e:39:00:0g", "fa:16-3e:39:00:01", "f:a16:3e:39:00:01",
    "fa163e390001", ":a:16:3e:39:00:01", "fa:16:3e:39:00:01:02", "fa:16:3e:39:00:0", " fa:16:3e:39:00:01",
  ])
  func otherTextIsNoMACAddress(text: String) {
    #expect(MACAddress(text) == nil)
  }

  @Test func macAddressIsWrittenInLowerCase() {
    #expect(MACAddress(rawValue: 0x0a0b_0c0d_0eff).description == "0a:0b:0c:0d:0e:ff")
  }

  @Test(arguments: [
    ("0.0.0.0", 0 as UInt32), ("192.0.2.1", 0xc000_0201), ("255.255.255.255", 0xffff_ffff), ("10.0.0.11", 0x0a00_000b),
  ])
  func ipv4IsReadAndWritten(text: String, value: UInt32) {
    #expect(IPAddress(text) == IPAddress(v4: value))
    #expect(IPAddress(v4: value).description == text)
  }

  @Test(arguments: [
    ("::", 0 as UInt64, 0 as UInt64, "::"),
    ("::1", 0, 1, "::1"),
    ("1::", 0x0001_0000_0000_0000, 0, "1::"),
    ("2001:db8::1", 0x2001_0db8_0000_0000, 1, "2001:db8::1"),
    ("2001:DB8:0:0:1:0:0:1", 0x2001_0db8_0000_0000, 0x0001_0000_0000_0001, "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:1:1:1:1", 0x2001_0db8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
    ("2001:0db8::0001:0000", 0x2001_0db8_0000_0000, 0x0001_0000, "2001:db8::1:0"),
    ("1:0:0:2:0:0:0:3", 0x0001_0000_0000_0002, 3, "1:0:0:2::3"),
    ("::ffff:192.0.2.1", 0, 0xffff_c000_0201, "::ffff:192.0.2.1"),
    ("::ffff:c000:201", 0, 0xffff_c000_0201, "::ffff:192.0.2.1"),
    ("64:ff9b::192.0.2.33", 0x0064_ff9b_0000_0000, 0xc000_0221, "64:ff9b::c000:221"),
    ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008, "1:2:3:4:5:6:7:8"),
    ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000, "1:2:3:4:5:6:7:0"),
    ("1:2:3:4:5:6:1.2.3.4", 0x0001_0002_0003_0004, 0x0005_0006_0102_0304, "1:2:3:4:5:6:102:304"),
    ("fe80::f816:3eff:fe39:1", 0xfe80_0000_0000_0000, 0xf816_3eff_fe39_0001, "fe80::f816:3eff:fe39:1"),
    ("ff02::1:ff39:1", 0xff02_0000_0000_0000, 0x0000_0001_ff39_0001, "ff02::1:ff39:1"),
  ])
  func ipv6IsReadAndWrittenAsRFC5952(text: String, high: UInt64, low: UInt64, canonical: String) {
    #expect(IPAddress(text) == IPAddress(v6High: high, low: low))
    #expect(IPAddress(v6High: high, low: low).description == canonical)
  }

  @Test(arguments: [
    "", "none", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4 ", "0x1.2.3.4",
    "1.2.3.4/24", "99999999999.1.1.1", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
    "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::", "fe80::1%eth0", "[::1]", "::1.2.3", "1.2.3.4::",
    "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::/0", "1:::2", "::1:", "1::2:",
  ])
  func otherTextIsNoIPAddress(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func addressesOfDifferentFamiliesDiffer() {
    #expect(IPAddress("::192.0.2.1") != IPAddress("192.0.2.1"))
    #expect(IPAddress.none.description == "none")
  }

  @Test func everyAddressReadsBackAsWritten() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<2000 {
      // Masks that leave many groups zero, so that every place of "::" comes up.
      var high = random.next()
      var low = random.next()
      for index in 0..<4 {
        if random.next() & 1 == 0 { high &= ~(0xffff << UInt64(index * 16)) }
        if random.next() & 1 == 0 { low &= ~(0xffff << UInt64(index * 16)) }
      }
      let address = IPAddress(v6High: high, low: low)
      #expect(IPAddress(address.description) == address)
      let v4 = IPAddress(v4: UInt32(truncatingIfNeeded: low))
      #expect(IPAddress(v4.description) == v4)
      let mac = MACAddress(rawValue: high)
      #expect(MACAddress(mac.description) == mac)
    }
  }
}
