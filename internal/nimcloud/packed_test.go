package nimcloud

import (
	"bytes"
	"errors"
	"maps"
	"testing"
)

// A login packet, byte by byte.
var loginPacket = []byte{
	0,     // no length
	26, 3, // log in
	1, 2, // serial 0x0201
	0,                // no flags
	2,                // properties
	19, 2, 'a', 0xe4, // 19: not UTF-8, which is passed on as it is
	0xe8, 7, 1, 't', // 1000
}

func TestDecodePacked(t *testing.T) {
	p, err := decodePacked(loginPacket)
	if err != nil || p.command != cmdLoginV2 || p.serial != 0x0201 {
		t.Fatalf("decode %+v, %v", p, err)
	}
	got, err := p.body.properties()
	if want := (properties{19: "a\xe4", 1000: "t"}); !maps.Equal(got, want) || err != nil {
		t.Errorf("properties %v, %v; want %v", got, err, want)
	}
	for n := range loginPacket {
		p, err := decodePacked(loginPacket[:n])
		if err == nil {
			_, err = p.body.properties()
		}
		if !errors.Is(err, errShort) {
			t.Errorf("the first %d bytes: %v, want errShort", n, err)
		}
	}
}

// everyField has a field of each type.
var everyField = []any{
	properties{1000: "t", 5: "16"}, []properties(nil), []properties{{1: "\""}}, []string(nil), []string{"x"},
	byte(255), int32(-2), int64(1) << 40, "ü",
}

func TestEncodePacked(t *testing.T) {
	got := encodePacked(reply{familyV2.kicked, 0x0201, 1838, everyField})
	want := []byte{
		0, 26, 9, 1, 2, 2, 0x2e, 7,
		2, 5, 2, '1', '6', 0xe8, 7, 1, 't',
		0,
		1, 1, 1, 1, '"',
		0,
		1, 1, 'x',
		255,
		0xfe, 0xff, 0xff, 0xff,
		0, 0, 0, 0, 0, 1, 0, 0,
		2, 0xc3, 0xbc,
	}
	if !bytes.Equal(got, want) {
		t.Errorf("encode % x, want % x", got, want)
	}
}

func TestPackCode(t *testing.T) {
	for _, row := range []struct {
		code   int
		packed uint16
		ok     bool
	}{
		{200, 200, true},
		{417, 417, true},
		{999, 999, true},
		{20000, 20000, true},
		{20099, 20099, true},
		{101302, 2<<9 | 302, true},
		{102302, 3<<9 | 302, true},
		{137511, 38<<9 | 511, true},
		{138000, 40 << 9, true}, // 39 is taken by the app-defined codes
		{100488, 1000, true},
		{100487, 0, false}, // would be packed as 999
		{102512, 0, false},
		{190001, 92<<9 | 1, true},
		{226000, 0, false},
		{1000, 0, false},
		{20100, 0, false},
		{-1, 0, false},
	} {
		packed, ok := packCode(row.code)
		if packed != row.packed || ok != row.ok {
			t.Errorf("packCode(%d) = %d, %v; want %d, %v", row.code, packed, ok, row.packed, row.ok)
		}
	}
}

// Each message is decoded or refused, in both framings. Decoding makes no more
// values than there are bytes, and decoded properties survive encoding.
func FuzzDecode(f *testing.F) {
	f.Add(loginPacket)
	f.Add([]byte{0, 26, 8, 1, 0, 2, 200, 0, 2, 1, 'x', 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 1, 0, 0})
	f.Add([]byte(loginFrame))
	f.Add([]byte(`3:::{"SID":2,"CID":8,"SER":7,"Q":[{"t":"StrArray","v":["d1"]}]}`))
	f.Add([]byte(`3:1::{"Q":[{"v":{"-1":1e9}}]}`))
	f.Add([]byte("2::"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, framing := range []*framing{packed, text} {
			p, err := framing.decode(b)
			if err != nil {
				continue
			}
			tags, err := p.body.properties()
			if len(tags) > len(b) {
				t.Errorf("%d properties of %d bytes", len(tags), len(b))
			}
			if err == nil {
				again := fields{rest: appendField(nil, tags)}
				if got := again.properties(); again.err != nil || !maps.Equal(got, tags) || len(again.rest) != 0 {
					t.Errorf("properties %v came back as %v, %v", tags, got, again.err)
				}
			}
			if all, _ := p.body.strings(); len(all) > len(b) {
				t.Errorf("%d strings of %d bytes", len(all), len(b))
			}
		}
	})
}
