package nimcloud_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/imreuse/imreuse/internal/nimcloud"
)

// A client speaks the packed framing. It shares no code with the cloud, in order
// to test it.
type client struct {
	t      *testing.T
	ws     *websocket.Conn
	device string
	serial uint16
}

// Commands, each a service and a number.
var (
	heartbeat    = [2]byte{1, 2}
	cdnHost      = [2]byte{6, 26}
	uploadConfig = [2]byte{6, 27}
	login        = [2]byte{26, 3}
	logout       = [2]byte{26, 5}
	kickOthers   = [2]byte{26, 8}
	kicked       = [2]byte{26, 9}
	clientChange = [2]byte{26, 10}
	sync         = [2]byte{27, 1}
)

// Result codes in their form on the wire.
const (
	ok           = 200
	tokenInvalid = 3<<9 | 302 // 102302
	banned       = 3<<9 | 422 // 102422
	notEnabled   = 2<<9 | 301 // 101301
	appKeyWrong  = 2<<9 | 303 // 101303
)

// patience bounds every wait for something that must happen.
const patience = 10 * time.Second

func dial(t *testing.T, c *nimcloud.Cloud, device string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+c.LinkAddr()+"/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.CloseNow() })
	return &client{t: t, ws: ws, device: device}
}

func (c *client) sendRaw(b []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageBinary, b); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) send(command [2]byte, body []byte) {
	c.t.Helper()
	c.serial++
	head := []byte{0, command[0], command[1], byte(c.serial), byte(c.serial >> 8), 0}
	c.sendRaw(append(head, body...))
}

func (c *client) read() ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, b, err := c.ws.Read(ctx)
	if ctx.Err() != nil {
		c.t.Fatal("no packet arrived")
	}
	return b, err
}

// want reads a packet, checks its command and result, and returns its body.
func (c *client) want(command [2]byte, code int) []byte {
	c.t.Helper()
	b, err := c.read()
	if err != nil || len(b) < 8 {
		c.t.Fatalf("read % x, %v; want %v with %d", b, err, command, code)
	}
	serial := c.serial
	if command == kicked || command == clientChange {
		serial = 0 // the cloud sends it unasked
	}
	head := []byte{0, command[0], command[1], byte(serial), byte(serial >> 8), 2, byte(code), byte(code >> 8)}
	if !bytes.Equal(b[:8], head) {
		c.t.Fatalf("header % x, want % x", b[:8], head)
	}
	return b[8:]
}

// wantCut checks that the link ends.
func (c *client) wantCut() {
	c.t.Helper()
	if b, err := c.read(); err == nil {
		c.t.Errorf("read % x, want the link to be cut", b)
	}
}

// login sends a login like the SDK's and returns the records of the other
// clients.
func (c *client) login(accid, token string, code int) []byte {
	c.t.Helper()
	return c.loginTo(appKey, accid, token, code)
}

func (c *client) loginTo(appKey, accid, token string, code int) []byte {
	c.t.Helper()
	c.send(login, c.loginBody(appKey, accid, token))
	body := c.want(login, code)
	if code != ok {
		if len(body) != 0 {
			c.t.Errorf("a refusal has a body, % x", body)
		}
		return nil
	}
	own, others := readProperties(c.t, body)
	if own[1] != c.device || own[5] != "16" {
		c.t.Errorf("own record %v, want device %s of type 16", own, c.device)
	}
	return others
}

func (c *client) loginBody(appKey, accid, token string) []byte {
	return properties(3, "16", 8, "1", 13, c.device, 18, appKey, 19, accid, 1000, token)
}

// properties encodes alternating tags and values.
func properties(pairs ...any) []byte {
	b := []byte{byte(len(pairs) / 2)}
	for i := 0; i < len(pairs); i += 2 {
		b = binary.AppendUvarint(b, uint64(pairs[i].(int)))
		b = append(b, text(pairs[i+1].(string))...)
	}
	return b
}

func text(s string) []byte { return append(binary.AppendUvarint(nil, uint64(len(s))), s...) }

// readProperties returns the first property map in b, and the rest of b.
func readProperties(t *testing.T, b []byte) (map[int]string, []byte) {
	t.Helper()
	number := func() int {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatalf("no number in % x", b)
		}
		b = b[n:]
		return int(v)
	}
	p := map[int]string{}
	for n := number(); n > 0; n-- {
		tag, length := number(), number()
		if length > len(b) {
			t.Fatalf("a string of %d, %d are left", length, len(b))
		}
		p[tag], b = string(b[:length]), b[length:]
	}
	return p, b
}

// readRecords returns the device ids of a list of records that extends to the end
// of b.
func readRecords(t *testing.T, b []byte) []string {
	t.Helper()
	if len(b) == 0 {
		t.Fatal("no list")
	}
	count := b[0]
	b = b[1:]
	var ids []string
	for range count {
		var p map[int]string
		p, b = readProperties(t, b)
		ids = append(ids, p[1])
	}
	if len(b) != 0 {
		t.Errorf("% x follows the list", b)
	}
	return ids
}

// wantChange reads a change: the other device has logged in (2) or out (3).
func (c *client) wantChange(change byte, device string) {
	c.t.Helper()
	b := c.want(clientChange, ok)
	if len(b) == 0 || b[0] != change {
		c.t.Fatalf("change % x, want %d", b, change)
	}
	if ids := readRecords(c.t, b[1:]); len(ids) != 1 || ids[0] != device {
		c.t.Errorf("change of %v, want of %s", ids, device)
	}
}

// wantKicked reads a kick: client type, reason, text, custom client type.
func (c *client) wantKicked(clientType, reason uint32, why string) {
	c.t.Helper()
	want := binary.LittleEndian.AppendUint32(nil, clientType)
	want = binary.LittleEndian.AppendUint32(want, reason)
	want = append(append(want, text(why)...), 0, 0, 0, 0)
	if got := c.want(kicked, ok); !bytes.Equal(got, want) {
		c.t.Errorf("kick % x, want % x", got, want)
	}
}
