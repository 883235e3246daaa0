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

func TestDecode(t *testing.T) {
	p, err := decode(loginPacket)
	if err != nil || p.command != cmdLogin || p.serial != 0x0201 {
		t.Fatalf("decode %+v, %v", p, err)
	}
	got := p.body.properties()
	if want := (properties{19: "a\xe4", 1000: "t"}); !maps.Equal(got, want) || p.body.err != nil {
		t.Errorf("properties %v, %v; want %v", got, p.body.err, want)
	}
	for n := range loginPacket {
		p, err := decode(loginPacket[:n])
		if err == nil {
			p.body.properties()
			err = p.body.err
		}
		if !errors.Is(err, errShort) {
			t.Errorf("the first %d bytes: %v, want errShort", n, err)
		}
	}
}

func TestEncode(t *testing.T) {
	body := appendPropertiesList(appendProperties(nil, properties{1000: "t", 5: "16"}), nil)
	got := encode(cmdKicked, 0x0201, 1838, appendInt(appendStrings(body, []string{"x"}), 3))
	want := []byte{0, 26, 9, 1, 2, 2, 0x2e, 7, 2, 5, 2, '1', '6', 0xe8, 7, 1, 't', 0, 1, 1, 'x', 3, 0, 0, 0}
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

// Every packet is decoded or refused. Decoding makes no more values than there
// are bytes, and decoded properties survive encoding.
func FuzzDecode(f *testing.F) {
	f.Add(loginPacket)
	f.Add([]byte{0, 26, 8, 1, 0, 2, 200, 0, 2, 1, 'x', 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decode(b)
		if err != nil {
			return
		}
		body := p.body
		if tags := body.properties(); body.err == nil {
			again := fields{rest: appendProperties(nil, tags)}
			if got := again.properties(); again.err != nil || !maps.Equal(got, tags) || len(again.rest) != 0 {
				t.Errorf("properties %v came back as %v, %v", tags, got, again.err)
			}
		} else if len(tags) > len(b) {
			t.Errorf("%d properties of %d bytes", len(tags), len(b))
		}
		body = p.body
		if all := body.strings(); len(all) > len(b) {
			t.Errorf("%d strings of %d bytes", len(all), len(b))
		}
	})
}
