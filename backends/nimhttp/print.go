package nimhttp

import (
	"fmt"
	"io"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// This file is how the types of this package print: as what they are for, and
// without a secret, in every verb of package fmt that prints values, with
// log/slog and as JSON.
//
// Package fmt calls no methods on what is in an unexported field, nor after
// a verb that does not fit, such as %s for a pointer within a struct. Our own
// types keep a secret in a function, which fmt does not look into. An Options
// or a GatewayOptions has it in a string: do not print a type that holds one in
// an unexported field, and print others with %v.

func (o Options) text() string {
	return fmt.Sprintf("nimhttp.Options{AppKey:%q KitURL:%q GatewayURL:%q Slot:%q DeviceID:%q}",
		o.AppKey, call.ShowURL(o.KitURL), call.ShowURL(o.GatewayURL), o.Slot, o.DeviceID)
}

// Format implements fmt.Formatter. It prints what names the peers, and no
// secret.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns what Format prints, so that JSON and text logs have
// nothing else.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

func (o GatewayOptions) text() string {
	return fmt.Sprintf("nimhttp.GatewayOptions{Dir:%q Addr:%q Node:%q}", o.Dir, o.Addr, o.Node)
}

// Format implements fmt.Formatter. It prints all but Secret and Stderr.
func (o GatewayOptions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns what Format prints, so that JSON and text logs have
// nothing else.
func (o GatewayOptions) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

func (k *Kit) text() string { return fmt.Sprintf("nimhttp.Kit{%s}", k.base) }

// Format implements fmt.Formatter. It prints the address of the kit server.
func (k *Kit) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.text()) }

func (im *IM) text() string { return fmt.Sprintf("nimhttp.IM{%s}", im.slot.Address()) }

// Format implements fmt.Formatter. It prints the address of the slot.
func (im *IM) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, im.text()) }

// Format implements fmt.Formatter. It prints both addresses.
func (b *Backend) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "nimhttp.Backend{%s %s}", b.Kit.text(), b.IM.text())
}

// Format implements fmt.Formatter. It prints the address.
func (g *Gateway) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "nimhttp.Gateway{%s}", g.URL())
}
