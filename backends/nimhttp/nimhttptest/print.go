package nimhttptest

import (
	"fmt"
	"io"
)

func (o Options) text() string {
	return fmt.Sprintf("nimhttptest.Options{AppKey:%q Addr:%q NoGateway:%t}", o.AppKey, o.Addr, o.NoGateway)
}

// Format implements fmt.Formatter. It does not print accounts or secrets.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns the same text as Format, so that JSON and text logs do
// not contain secrets either.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

// Format implements fmt.Formatter. It prints the address.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "nimhttptest.Server{%s}", s.url) }
