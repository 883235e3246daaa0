package nimcloud

import (
	"errors"

	"github.com/coder/websocket"
)

// A command is a service and one of its commands.
type command uint16

// Commands that both families of packets share; family.go has the others.
const (
	cmdHeartbeat    command = 1<<8 | 2
	cmdServerTime   command = 6<<8 | 23
	cmdCDNHost      command = 6<<8 | 26 // the SDK's getNosCdnHost
	cmdUploadConfig command = 6<<8 | 27 // the SDK's getGrayscaleConfig
)

// A packet is a packet that a client sent. It has no code, because clients send
// none.
type packet struct {
	command command
	serial  uint32 // the answer repeats it
	body    body
}

// A body has the parameters of a packet. Each packet that the cloud reads has
// one. A method fails if the body has no value of that type.
type body interface {
	properties() (properties, error)
	strings() ([]string, error)
}

// A reply is a packet that the cloud sends. Its fields are of the types byte,
// int32, int64, string, []string, properties and []properties.
type reply struct {
	command command
	serial  uint32 // 0 if no packet of the client asked for it
	code    uint16
	fields  []any
}

// properties are values by the vendor's tag numbers.
type properties map[int]string

// A framing is how packets travel in the messages of a WebSocket.
type framing struct {
	kind   websocket.MessageType
	hello  []byte // the cloud's first message; nil: none
	decode func([]byte) (packet, error)
	encode func(reply) []byte
}

// errNoPacket is the error of decode for a message that needs no answer.
var errNoPacket = errors.New("the message has no packet")
