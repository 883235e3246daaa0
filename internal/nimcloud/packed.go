package nimcloud

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/coder/websocket"
)

// This file has the packed framing, which 10.x uses, and 9.x in browsers: one
// packet in each binary message. The header is a length (0 is accepted, because
// the message has its own), a service, a command, a serial, flags, and a result
// code if a flag says so. The body is a sequence of fields without their types.
// See docs/vendor/im-sdk.md#on-the-wire.

var packed = &framing{kind: websocket.MessageBinary, decode: decodePacked, encode: encodePacked}

const flagCode = 2 // a result code follows

var errShort = errors.New("packet ends too soon")
var errLong = errors.New("number in packet is too large")

func decodePacked(b []byte) (packet, error) {
	f := fields{rest: b}
	f.number() // the length
	p := packet{command: command(f.byte())<<8 | command(f.byte()), serial: uint32(f.uint16())}
	if f.byte()&flagCode != 0 {
		f.uint16()
	}
	p.body = packedBody(f.rest)
	return p, f.err
}

func encodePacked(r reply) []byte {
	b := []byte{0, byte(r.command >> 8), byte(r.command)}
	b = binary.LittleEndian.AppendUint16(b, uint16(r.serial)) // all that a client can have sent
	b = append(b, flagCode)
	b = binary.LittleEndian.AppendUint16(b, r.code)
	for _, field := range r.fields {
		b = appendField(b, field)
	}
	return b
}

// A packedBody is the rest of a packed packet.
type packedBody []byte

func (b packedBody) properties() (properties, error) {
	f := fields{rest: b}
	p := f.properties()
	return p, f.err
}

func (b packedBody) strings() ([]string, error) {
	f := fields{rest: b}
	all := f.strings()
	return all, f.err
}

// fields reads the fields of a body. After an error every read returns zero.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) take(n int) []byte {
	if f.err == nil && n > len(f.rest) {
		f.err = errShort
	}
	if f.err != nil {
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) byte() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if b := f.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (f *fields) number() int {
	if f.err != nil {
		return 0
	}
	v, n := binary.Uvarint(f.rest)
	switch {
	case n == 0:
		f.err = errShort
		return 0
	case n < 0 || v > math.MaxInt32:
		f.err = errLong
		return 0
	}
	f.rest = f.rest[n:]
	return int(v)
}

func (f *fields) string() string { return string(f.take(f.number())) }

func (f *fields) strings() []string {
	var all []string
	for n := f.number(); n > 0 && f.err == nil; n-- {
		all = append(all, f.string())
	}
	return all
}

func (f *fields) properties() properties {
	p := properties{}
	for n := f.number(); n > 0 && f.err == nil; n-- {
		tag := f.number()
		p[tag] = f.string()
	}
	return p
}

func appendField(b []byte, field any) []byte {
	switch v := field.(type) {
	case byte:
		return append(b, v)
	case int32:
		return binary.LittleEndian.AppendUint32(b, uint32(v))
	case int64:
		return binary.LittleEndian.AppendUint64(b, uint64(v))
	case string:
		return append(appendNumber(b, len(v)), v...)
	case []string:
		return appendList(b, v)
	case properties:
		b = appendNumber(b, len(v))
		for _, tag := range slices.Sorted(maps.Keys(v)) {
			b = appendField(appendNumber(b, tag), v[tag])
		}
		return b
	case []properties:
		return appendList(b, v)
	}
	panic(fmt.Sprintf("nimcloud: a reply has a %T", field))
}

func appendList[T any](b []byte, all []T) []byte {
	b = appendNumber(b, len(all))
	for _, v := range all {
		b = appendField(b, v)
	}
	return b
}

func appendNumber(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }
