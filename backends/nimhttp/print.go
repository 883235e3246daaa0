package nimhttp

import (
	"fmt"
	"io"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// The types of this package print a short description without a secret: with
// every verb of package fmt, with log/slog and as JSON.
//
// Package fmt does not call methods on unexported fields, or for a verb that
// does not fit, such as %s for a pointer in a struct. So our own types keep a
// secret in a func, whose result fmt does not print. Options and GatewayOptions
// have it in a string: do not print a type that has one of them in an
// unexported field, and print a type that has one in an exported field only
// with %v.

func (o Options) text() string {
	return fmt.Sprintf("nimhttp.Options{AppKey:%q KitURL:%q GatewayURL:%q Slot:%q DeviceID:%q}",
		o.AppKey, call.ShowURL(o.KitURL), call.ShowURL(o.GatewayURL), o.Slot, o.DeviceID)
}

// Format implements fmt.Formatter. It prints the names and addresses, without
// the secret.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns the text that Format prints, for JSON and text logs.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

func (o GatewayOptions) text() string {
	return fmt.Sprintf("nimhttp.GatewayOptions{Dir:%q Addr:%q Node:%q}", o.Dir, o.Addr, o.Node)
}

// Format implements fmt.Formatter. It prints every field but Secret and Stderr.
func (o GatewayOptions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns the text that Format prints, for JSON and text logs.
func (o GatewayOptions) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

func (k *Kit) text() string { return fmt.Sprintf("nimhttp.Kit{%s}", k.base) }

// Format implements fmt.Formatter. It prints the address of the kit server.
func (k *Kit) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.text()) }

func (im *IM) text() string { return fmt.Sprintf("nimhttp.IM{%s}", im.slot.Address()) }

// Format implements fmt.Formatter. It prints the address of the slot.
func (im *IM) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, im.text()) }

// Format implements fmt.Formatter. It prints the addresses of the kit server
// and the slot.
func (b *Backend) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "nimhttp.Backend{%s %s}", b.Kit.text(), b.IM.text())
}

// Format implements fmt.Formatter. It prints the gateway's address.
func (g *Gateway) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "nimhttp.Gateway{%s}", g.URL())
}
