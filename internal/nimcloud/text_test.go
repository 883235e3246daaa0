package nimcloud

import (
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
)

// A login of 9.x, as its Node build sends it.
const loginFrame = `3:::{"SID":2,"CID":3,"SER":70000,"timeout":8000,"hasPacketResponse":true,` +
	`"Q":[{"t":"Property","v":{"3":16,"8":1,"13":"d1","19":"a:ü","1000":"t"}}]}`

func TestDecodeText(t *testing.T) {
	p, err := decodeText([]byte(loginFrame))
	if err != nil || p.command != cmdLoginV1 || p.serial != 70000 {
		t.Fatalf("decode %+v, %v", p, err)
	}
	got, err := p.body.properties()
	if want := (properties{3: "16", 8: "1", 13: "d1", 19: "a:ü", 1000: "t"}); !maps.Equal(got, want) || err != nil {
		t.Errorf("properties %v, %v; want %v", got, err, want)
	}
	if all, err := p.body.strings(); err == nil {
		t.Errorf("properties are strings %v", all)
	}
	p, err = decodeText([]byte(`3:::{"SID":2,"CID":8,"SER":1,"Q":[{"t":"StrArray","v":["d1",""]}]}`))
	if err != nil || p.command != cmdKickOthersV1 {
		t.Fatalf("decode %+v, %v", p, err)
	}
	if all, err := p.body.strings(); err != nil || !slices.Equal(all, []string{"d1", ""}) {
		t.Errorf("strings %q, %v", all, err)
	}
	if got, err := p.body.properties(); err == nil {
		t.Errorf("strings are properties %v", got)
	}
}

func TestDecodeTextRefuses(t *testing.T) {
	for frame, want := range map[string]error{
		"0::": io.EOF, "1::": errNoPacket, "2::": errNoPacket, "8::": errNoPacket,
		"": errFrame, "3": errFrame, "3::": errFrame, "3::chat:{}": errFrame, "4:::{}": errFrame, "5:::{}": errFrame, "33:::{}": errFrame,
	} {
		if _, err := decodeText([]byte(frame)); err != want {
			t.Errorf("%q: %v, want %v", frame, err, want)
		}
	}
	for _, frame := range []string{
		"3:::", "3:::[]", "3:::{", `3:::{"SID":256}`, `3:::{"CID":-1}`, `3:::{"SER":0.5}`, `3:::{"SER":4294967296}`, `3:::{"Q":{}}`, `3:::{"Q":[1]}`,
	} {
		if p, err := decodeText([]byte(frame)); err == nil || errors.Is(err, errNoPacket) {
			t.Errorf("%q: %+v, %v; want an error", frame, p, err)
		}
	}
	for _, q := range []string{
		`[]`, `null`, `[{}]`, `[{"v":1}]`, `[{"v":["x"]}]`, `[{"v":{"x":"y"}}]`, `[{"v":{"-1":"y"}}]`, `[{"v":{"1":{}}}]`, `[{"v":{"1":true}}]`,
	} {
		p, err := decodeText([]byte(`3:::{"SID":2,"CID":3,"SER":1,"Q":` + q + `}`))
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		if got, err := p.body.properties(); err == nil {
			t.Errorf("%s: properties %v, want an error", q, got)
		}
	}
}

func TestEncodeText(t *testing.T) {
	got := string(encodeText(reply{familyV1.kicked, 70000, 200, everyField}))
	want := `3:::{"sid":2,"cid":5,"ser":70000,"code":200,"r":[{"1000":"t","5":"16"},[],[{"1":"\""}],[],["x"],255,-2,1099511627776,"ü"]}`
	if got != want {
		t.Errorf("encode %s, want %s", got, want)
	}
	if got, want := string(encodeText(reply{command: cmdHeartbeat, code: 200})), `3:::{"sid":1,"cid":2,"ser":0,"code":200,"r":[]}`; got != want {
		t.Errorf("encode %s, want %s", got, want)
	}
}
