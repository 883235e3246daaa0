package gatewayclient

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayversion"
	"github.com/imreuse/imreuse/engine"
)

// A prover opens connections to a gateway. On each one the gateway proves
// itself before net/http may use the connection. So the secret and tokens go to
// nobody else, however often a connection is lost and opened again.
type prover struct {
	health *url.URL
	secret string
	life   context.Context // when it ends, proofs in progress end too
}

const (
	proofPatience = 10 * time.Second
	longestProof  = 16 << 10 // bytes, with the headers

	// proofLabel comes before the nonce in the message that the gateway signs:
	// gateway/openapi.yaml, Health.
	proofLabel = "imreuse gateway proof 1\n"
)

// A strangerError says why the program that listens at GatewayURL cannot be the
// gateway.
type strangerError struct{ cause error }

func (e *strangerError) Error() string { return e.cause.Error() }
func (e *strangerError) Unwrap() error { return e.cause }

func strangerf(format string, args ...any) error {
	return &strangerError{fmt.Errorf(format, args...)}
}

// IsStranger reports whether err says that another program than the gateway
// listens at GatewayURL. The request was then not sent.
func IsStranger(err error) bool {
	var s *strangerError
	return errors.As(err, &s)
}

// Health is the gateway's answer to a health check.
type Health struct {
	Boot    string `json:"boot"` // names this run of the gateway
	Version string `json:"version"`
	Proof   string `json:"proof"` // only if a nonce was sent
}

// contract returns the part of a version that a client depends on.
func contract(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	if major != "0" {
		return major
	}
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// proved returns a dial func whose connections are proved.
func (p *prover) proved(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(p.life, cancel)()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if err := p.prove(ctx, conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

// prove asks for the proof. It bounds the time and the bytes that it reads.
func (p *prover) prove(ctx context.Context, conn net.Conn) error {
	bounded, cancel := context.WithTimeout(ctx, proofPatience)
	defer cancel()
	stop := context.AfterFunc(bounded, func() { conn.SetDeadline(time.Unix(1, 0)) }) // a time in the past
	err := p.exchange(conn)
	switch {
	case stop():
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: the program at GatewayURL did not prove within %v that it is the gateway", engine.ErrUnavailable, proofPatience)
}

func (p *prover) exchange(conn net.Conn) error {
	nonce := rand.Text()
	u := *p.health
	u.RawQuery = url.Values{"nonce": {nonce}}.Encode()
	request := &http.Request{Method: http.MethodGet, URL: &u}
	if err := request.Write(conn); err != nil {
		return unproved(err)
	}
	bounded := &io.LimitedReader{R: conn, N: longestProof}
	in := bufio.NewReader(bounded)
	response, body, err := readAnswer(in, request)
	switch {
	case err != nil && bounded.N <= 0:
		return noGateway("its answer is too long for a proof")
	case err != nil:
		return unproved(err)
	}
	if err := p.judge(response, body, nonce); err != nil {
		return err
	}
	if response.Close || in.Buffered() > 0 {
		return fmt.Errorf("%w: the IM gateway ended the connection after its proof", engine.ErrUnavailable)
	}
	return nil
}

func readAnswer(in *bufio.Reader, request *http.Request) (*http.Response, []byte, error) {
	response, err := http.ReadResponse(in, request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

// unproved returns the error for a connection that ended, or for an answer that
// is not HTTP.
func unproved(err error) error {
	var ofNet net.Error
	if errors.As(err, &ofNet) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) {
		return fmt.Errorf("%w: the connection ended before the IM gateway proved itself", engine.ErrUnavailable)
	}
	return noGateway("it does not speak HTTP")
}

func noGateway(why string) error {
	return strangerf("%w: the program at GatewayURL is not an IM gateway: %s", engine.ErrUnavailable, why)
}

// judge returns nil if the response proves that the gateway knows the secret
// and has the version that this client needs.
func (p *prover) judge(response *http.Response, body []byte, nonce string) error {
	var h Health
	_ = json.Unmarshal(body, &h) // without JSON, h has no proof and is refused below
	answered := response.StatusCode == http.StatusOK && h.Boot != "" && h.Version != ""
	proof, err := hex.DecodeString(h.Proof)
	switch {
	case response.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%w: the IM gateway answered HTTP %d instead of its proof", engine.ErrUnavailable, response.StatusCode)
	case response.StatusCode == http.StatusMisdirectedRequest:
		return strangerf("%w: the IM gateway refuses the host name in GatewayURL; use 127.0.0.1, or let the proxy in front of the gateway set Host", engine.ErrUnavailable)
	case !answered:
		return noGateway(fmt.Sprintf("it answered HTTP %d without a proof", response.StatusCode))
	case h.Proof != "" && (err != nil || !hmac.Equal(proof, p.sign(nonce))):
		return errWrongSecret
	case contract(h.Version) != contract(gatewayversion.Version):
		return strangerf("%w: the IM gateway has version %.20q, but this client needs %s; run: imreuse gateway install, then start the gateway again",
			engine.ErrUnavailable, h.Version, gatewayversion.Version)
	case h.Proof == "":
		return noGateway("it does not prove that it knows the secret")
	}
	return nil
}

var errWrongSecret = &strangerError{call.Argument("the program at GatewayURL has another secret than GatewaySecret; " +
	"set GatewaySecret to the secret that the gateway was started with: IMREUSE_GATEWAY_SECRET, or the first line that imreuse gateway prints")}

func (p *prover) sign(nonce string) []byte {
	mac := hmac.New(sha256.New, []byte(p.secret))
	io.WriteString(mac, proofLabel+nonce)
	return mac.Sum(nil)
}
