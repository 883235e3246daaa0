package nimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/internal/nimcloud"
)

// The real gateway with the vendor's SDK, and an IM cloud for it to log in to.

// For a cloud to see it. The SDK by itself leaves a link on which a login is not
// answered after 8 s, which is not to pass for the gateway's work.
const cloudPatience = 4 * time.Second

// skipWithoutVendor skips a test, unless what it needs is promised.
func skipWithoutVendor(t *testing.T) {
	t.Helper()
	if os.Getenv("IMREUSE_VENDOR") != "1" {
		t.Skip("IMREUSE_VENDOR is not 1: it needs Node 20 and the vendor's SDK, from: imreuse gateway install")
	}
}

// startRealGateway starts the installed gateway with the vendor's SDK.
func startRealGateway(t *testing.T, said *syncBuffer) *nimhttp.Gateway {
	t.Helper()
	t.Setenv("NIM_SDK", "")
	t.Setenv("IMREUSE_GATEWAY_LOG", "log") // the SDK's most talkative level, so that what it prints can be judged
	if err := gateway.CheckNode(t.Context(), "node"); err != nil {
		t.Fatal(err)
	}
	dir, err := gateway.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if !gateway.Installed(dir) {
		t.Fatalf("there is no gateway in %s; run: imreuse gateway install", dir)
	}
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the cleanup
	g, err := nimhttp.StartGateway(ctx, nimhttp.GatewayOptions{Dir: dir, Stderr: said})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Close(), g.Wait()); err != nil {
			t.Errorf("the end of the gateway: %v", err)
		}
		cancel()
	})
	return g
}

// wantNoSecrets judges what a gateway that has ended printed.
func wantNoSecrets(t *testing.T, g *nimhttp.Gateway, said *syncBuffer) {
	t.Helper()
	if err := g.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	text := said.String()
	if !strings.Contains(text, "user-one") {
		t.Errorf("the gateway did not speak of user-one in %d bytes: this test sees nothing", len(text))
	}
	for _, secret := range []string{g.Secret(), tokenOne, tokenTwo, tokenNew, tokenWrong} {
		for line := range strings.Lines(text) {
			if strings.Contains(line, secret) {
				t.Errorf("the gateway printed a secret (%.12s…): %.300s", secret, line)
				break
			}
		}
	}
}

// newRealWorld is an IM cloud with two accounts.
func newRealWorld(t *testing.T, multiDevice bool) (*mockim.Service, *nimcloud.Cloud) {
	t.Helper()
	world := twoAccounts(multiDevice)
	cloud, err := nimcloud.Start(nimcloud.Options{World: world})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Errorf("closing the cloud: %v", err)
		}
	})
	return world, cloud
}

// realSetup is what a slot that uses that cloud is initialised with.
func realSetup(cloud *nimcloud.Cloud) map[string]any {
	return map[string]any{"appKey": gatewayAppKey, "lbsUrl": cloud.LBSURL(), "linkAddr": cloud.LinkAddr(), "linkPlain": true}
}

// readySlot is a slot of a gateway that is initialised.
func readySlot(t *testing.T, g *nimhttp.Gateway, cloud *nimcloud.Cloud, name string) *gatewaySlot {
	t.Helper()
	s := newGatewaySlot(t, newGatewayClient(t, g.URL(), g.Secret(), newJudge(t)), name, realSetup(cloud))
	s.wants("PUT", s.init(), "200")
	return s
}

// watchEnd sends nil when a reader has seen the logout of that session, or the
// release of the slot. It returns when the reader's request has been sent.
func (s *gatewaySlot) watchEnd(of gatewaySnapshot) <-chan error {
	s.t.Helper()
	sent, end := make(chan struct{}, 1), make(chan error, 1)
	wrote := func(httptrace.WroteRequestInfo) {
		select {
		case sent <- struct{}{}:
		default: // of a later read
		}
	}
	ctx := httptrace.WithClientTrace(s.t.Context(), &httptrace.ClientTrace{WroteRequest: wrote})
	go func() {
		now := of
		for now.Session == of.Session {
			r, err := s.call(ctx, "GET", fmt.Sprintf("?after=%d&waitMs=20000", now.Seq), nil)
			switch {
			case err == nil && r.status == 404:
				end <- nil
				return
			case err != nil || r.status != 200:
				end <- fmt.Errorf("after %v: got %v, %v", now, r, err)
				return
			}
			now = r.snapshot
		}
		if !now.isOut() || now.Ended == nil || *now.Ended != (gatewayEnd{Session: of.Session}) {
			end <- fmt.Errorf("got %v, want a logout", now)
			return
		}
		end <- nil
	}()
	select {
	case <-sent:
	case err := <-end:
		s.t.Fatalf("slot %s ended early: %v", s.name, err)
	}
	return end
}

func terminate(g *nimhttp.Gateway) error {
	node, err := os.FindProcess(g.Pid())
	if err != nil {
		return err
	}
	return node.Signal(syscall.SIGTERM)
}

// wantOnline waits until those are logged in, and no other link is open.
func wantOnline(t *testing.T, cloud *nimcloud.Cloud, want ...string) {
	t.Helper()
	wantClients(t, cloud, fmt.Sprintf("%q online and nobody else", want), func(clients []nimcloud.Client) bool {
		var got []string
		for _, c := range clients {
			got = append(got, c.Accid)
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// wantClients waits for what a cloud sees, which comes a moment after the
// gateway's word.
func wantClients(t *testing.T, cloud *nimcloud.Cloud, what string, done func([]nimcloud.Client) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cloudPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done(cloud.Clients()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the cloud has %+v, want %s", cloud.Clients(), what)
		}
	}
}
