package nimcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// This file has the text framing, which 9.x uses in Node, and every SDK with
// binaryWebsocket: false. It is socket.io 0.9: an HTTP request gets an id for
// the session, and each text message of the WebSocket is a frame
// TYPE:ID:ENDPOINT:DATA. A frame 3:::{…} has a packet as JSON. See
// docs/vendor/im-sdk.md#on-the-wire.

var text = &framing{kind: websocket.MessageText, hello: []byte("1::"), decode: decodeText, encode: encodeText}

const (
	handshakePath = "/socket.io/1/"           // fixed in the SDKs
	textLinkPath  = "/socket.io/1/websocket/" // the id of the session follows
)

// The types of the frames that an SDK sends. The cloud does not answer a
// heartbeat, because an SDK sends one only as an answer.
const (
	frameDisconnect = "0"
	frameConnect    = "1"
	frameHeartbeat  = "2"
	frameMessage    = "3"
	frameNoop       = "8"
)

var errFrame = errors.New("not a frame with a packet")

// serveHandshake answers with the id of a new session, the seconds after which a
// client may consider a silent link dead, the seconds for which it waits before
// it opens the link again, and the transports. The id only names the link: the
// cloud keeps no state until the link is open.
func (c *Cloud) serveHandshake(w http.ResponseWriter, r *http.Request) {
	if !c.allowPages(w, r) {
		return
	}
	if status := c.currentControls().link; status != 0 {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s:60:60:websocket", uuid.NewString())
}

func decodeText(b []byte) (packet, error) {
	parts := strings.SplitN(string(b), ":", 4)
	switch parts[0] {
	case frameDisconnect:
		return packet{}, io.EOF
	case frameConnect, frameHeartbeat, frameNoop:
		return packet{}, errNoPacket
	case frameMessage:
		if len(parts) == 4 && parts[2] == "" {
			return decodeJSON(parts[3])
		}
	}
	return packet{}, errFrame
}

func decodeJSON(data string) (packet, error) {
	var sent struct {
		SID, CID uint8
		SER      uint32
		Q        textBody
	}
	if err := json.Unmarshal([]byte(data), &sent); err != nil {
		return packet{}, err
	}
	return packet{command(sent.SID)<<8 | command(sent.CID), sent.SER, sent.Q}, nil
}

func encodeText(r reply) []byte {
	fields := make([]any, len(r.fields))
	for i, field := range r.fields {
		fields[i] = jsonField(field)
	}
	b, err := json.Marshal(struct {
		SID  command `json:"sid"`
		CID  command `json:"cid"`
		SER  uint32  `json:"ser"`
		Code uint16  `json:"code"`
		R    []any   `json:"r"`
	}{r.command >> 8, r.command & 0xff, r.serial, r.code, fields})
	if err != nil {
		panic(fmt.Sprintf("nimcloud: %v", err)) // the types of a reply's fields all have a form in JSON
	}
	return append([]byte(frameMessage+":::"), b...)
}

// jsonField returns what to marshal for field. An empty list is [], not null.
func jsonField(field any) any {
	switch v := field.(type) {
	case byte, int32, int64, string, properties:
		return v
	case []string:
		return append([]string{}, v...)
	case []properties:
		return append([]properties{}, v...)
	}
	panic(fmt.Sprintf("nimcloud: a reply has a %T", field))
}

// A textBody has the parameters of a packet, each with the name of its type.
type textBody []struct {
	V json.RawMessage
}

func (b textBody) first(value any) error {
	if len(b) == 0 {
		return errShort
	}
	return json.Unmarshal(b[0].V, value)
}

// properties returns the first parameter. A value is a string or a number.
func (b textBody) properties() (properties, error) {
	var raw map[string]json.RawMessage
	if err := b.first(&raw); err != nil {
		return nil, err
	}
	p := properties{}
	for key, value := range raw {
		tag, err := strconv.ParseUint(key, 10, 31)
		if err != nil {
			return nil, err
		}
		var s string
		var n json.Number
		switch {
		case json.Unmarshal(value, &s) == nil:
			p[int(tag)] = s
		case json.Unmarshal(value, &n) == nil:
			p[int(tag)] = n.String()
		default:
			return nil, fmt.Errorf("property %d is neither a string nor a number", tag)
		}
	}
	return p, nil
}

func (b textBody) strings() (all []string, err error) { return all, b.first(&all) }
