package nimcloud

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
)

// This file has the packed framing: one packet in each binary message. The
// header is a length (0 is accepted, because the message has its own), a
// service, a command, a serial that the answer repeats, flags, and a result
// code if a flag says so. The body is a sequence of fields without their types.
// See docs/vendor/im-sdk.md#on-the-wire.

// A command is a service and one of its commands.
type command uint16

const (
	cmdHeartbeat    command = 1<<8 | 2
	cmdServerTime   command = 6<<8 | 23
	cmdCDNHost      command = 6<<8 | 26 // the SDK's getNosCdnHost
	cmdUploadConfig command = 6<<8 | 27 // the SDK's getGrayscaleConfig
	cmdLogin        command = 26<<8 | 3
	cmdLogout       command = 26<<8 | 5
	cmdKickOthers   command = 26<<8 | 8
	cmdKicked       command = 26<<8 | 9
	cmdClientChange command = 26<<8 | 10
	cmdSync         command = 27<<8 | 1
)

const flagCode = 2 // a result code follows

// A packet is a packet that a client sent. It has no code, because clients send
// none.
type packet struct {
	command command
	serial  uint16
	body    fields
}

var errShort = errors.New("packet ends too soon")
var errLong = errors.New("number in packet is too large")

func decode(b []byte) (packet, error) {
	f := fields{rest: b}
	f.number() // the length
	p := packet{command: command(f.byte())<<8 | command(f.byte()), serial: f.uint16()}
	if f.byte()&flagCode != 0 {
		f.uint16()
	}
	p.body = f
	return p, f.err
}

// encode returns a packet with a result code in its form on the wire.
func encode(c command, serial, code uint16, body []byte) []byte {
	b := []byte{0, byte(c >> 8), byte(c)}
	b = binary.LittleEndian.AppendUint16(b, serial)
	b = append(b, flagCode)
	b = binary.LittleEndian.AppendUint16(b, code)
	return append(b, body...)
}

// properties are values by the vendor's tag numbers.
type properties map[int]string

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

func appendNumber(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }

func appendInt(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

func appendString(b []byte, s string) []byte { return append(appendNumber(b, len(s)), s...) }

func appendStrings(b []byte, all []string) []byte {
	b = appendNumber(b, len(all))
	for _, s := range all {
		b = appendString(b, s)
	}
	return b
}

func appendProperties(b []byte, p properties) []byte {
	b = appendNumber(b, len(p))
	for _, tag := range slices.Sorted(maps.Keys(p)) {
		b = appendString(appendNumber(b, tag), p[tag])
	}
	return b
}

func appendPropertiesList(b []byte, all []properties) []byte {
	b = appendNumber(b, len(all))
	for _, p := range all {
		b = appendProperties(b, p)
	}
	return b
}
