package nimhttptest

import (
	"fmt"
	"io"
)

func (o Options) text() string {
	return fmt.Sprintf("nimhttptest.Options{AppKey:%q Addr:%q NoGateway:%t}", o.AppKey, o.Addr, o.NoGateway)
}

// Format implements fmt.Formatter. It prints no accounts and no secret.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.text()) }

// MarshalText returns what Format prints, so that JSON and text logs have
// nothing else.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.text()), nil }

// Format implements fmt.Formatter. It prints the address.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "nimhttptest.Server{%s}", s.url) }
