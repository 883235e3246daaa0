package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/inspect"
)

// This file is the program that the tests in the browser look into. They tell it
// over HTTP what to do; see browser/program.mjs.

var (
	appAccount   = engine.IMAccount{Accid: "alice", Token: "im-s3cr3t"}
	otherAccount = engine.IMAccount{Accid: "bob", Token: "other-s3cr3t"}
)

// A program has an inspector, two engines over one cloud, and a page.
type program struct {
	t         *testing.T
	options   engine.Options
	cloud     *mockim.Service
	device    *mockim.Device
	kit       engine.KitAccount
	release   func() // lets a call go on that hangs
	expect    sync.WaitGroup
	inspector *inspect.Inspector
	engine    *engine.Engine
	others    []*engine.Engine
	server    *http.Server
	addr      string
}

func startProgram(t *testing.T, mode engine.Mode) *program {
	p := &program{t: t, options: engine.Options{Mode: mode}, cloud: mockim.NewService(mockim.ServiceOptions{AppKey: "app1"}), release: func() {}}
	p.cloud.AddIM(appAccount)
	p.cloud.AddIM(otherAccount)
	p.kit = engine.KitAccount{UserUUID: "kit-of-alice", Token: "kit-s3cr3t"}
	p.cloud.Bind(p.kit, appAccount.Accid)
	p.addr = "127.0.0.1:0"
	p.start()
	t.Cleanup(p.stop)
	return p
}

// start starts the program's own life: what is lost when it is restarted.
func (p *program) start() {
	p.inspector = inspect.New(p.options)
	p.device = p.cloud.Device()
	p.engine = p.open("chat", p.device)
	mux := http.NewServeMux()
	mux.Handle("/debug/imreuse/", p.inspector.Handler())
	listener, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Errorf("listen: %v", err)
		return
	}
	p.addr = listener.Addr().String()
	p.server = &http.Server{Handler: mux}
	p.expect.Go(func() { _ = p.server.Serve(listener) })
}

func (p *program) open(name string, b engine.Backend) *engine.Engine {
	e, err := engine.New(b, "app1", p.inspector.Options())
	if err != nil {
		p.t.Errorf("New: %v", err)
		return nil
	}
	p.inspector.Watch(name, e)
	return e
}

func (p *program) stop() {
	p.release()
	p.server.Close()
	p.engine.Close()
	for _, e := range p.others {
		e.Close()
	}
	p.others = nil
	p.expect.Wait()
}

// acts is what a test can have the program do. n is a number that it may give.
var acts = map[string]func(p *program, ctx context.Context, n int) error{
	"restart": func(p *program, _ context.Context, _ int) error { p.stop(); p.start(); return nil },
	"stop":    func(p *program, _ context.Context, _ int) error { p.stop(); return nil },
	"start":   func(p *program, _ context.Context, _ int) error { p.start(); return nil },

	"init":       func(p *program, ctx context.Context, _ int) error { return p.engine.InitIM(ctx) },
	"loginIM":    func(p *program, ctx context.Context, _ int) error { return p.engine.LoginIM(ctx, appAccount) },
	"loginOther": func(p *program, ctx context.Context, _ int) error { return p.engine.LoginIM(ctx, otherAccount) },
	"loginKit":   func(p *program, ctx context.Context, _ int) error { return p.engine.LoginKit(ctx, p.kit) },
	"anonymous":  func(p *program, ctx context.Context, _ int) error { return p.engine.LoginAnonymous(ctx) },
	"logoutKit":  func(p *program, ctx context.Context, _ int) error { return p.engine.LogoutKit(ctx) },
	"logoutIM":   func(p *program, ctx context.Context, _ int) error { return p.engine.LogoutIM(ctx) },
	"kick": func(p *program, _ context.Context, n int) error {
		p.cloud.Kick(appAccount.Accid, engine.KickReason(n))
		return nil
	},
	"linkDown": func(p *program, _ context.Context, _ int) error { p.device.Link(false); return nil },
	"linkUp":   func(p *program, _ context.Context, _ int) error { p.device.Link(true); return nil },
	"fail": func(p *program, _ context.Context, _ int) error {
		p.device.Fail("Authenticate", fmt.Errorf("%w: %w", engine.ErrUnavailable, &net.OpError{Op: "dial", Net: "tcp",
			Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 443}, Err: errors.New("refused " + p.kit.Token)}))
		return nil
	},
	"hang": func(p *program, ctx context.Context, _ int) error {
		p.release = p.device.Block("LoginKit")
		p.expect.Go(func() { _ = p.engine.LoginKit(context.WithoutCancel(ctx), p.kit) })
		return nil
	},
	"release": func(p *program, _ context.Context, _ int) error { p.release(); return nil },
	// Many logins and logouts: five entries each, and more.
	"burst": func(p *program, ctx context.Context, n int) error {
		for range n {
			if err := errors.Join(p.engine.LoginKit(ctx, p.kit), p.engine.LogoutKit(ctx)); err != nil {
				return err
			}
		}
		return nil
	},
	// A server whose ids are markup, on a second engine whose name is markup.
	"hostile": func(p *program, ctx context.Context, _ int) error {
		device := p.cloud.Device()
		kit := engine.KitAccount{UserUUID: `<img src=x onerror="window.hacked=1">`, Token: "t0k3n"}
		p.cloud.Bind(kit, otherAccount.Accid)
		e := p.open(`<script>window.hacked=1</script>`, device)
		p.others = append(p.others, e)
		device.Fail("Authenticate", errors.New(`<b onmouseover="window.hacked=1">`+kit.Token))
		return errors.Join(e.InitIM(ctx), e.LoginIM(ctx, otherAccount), ignore(e.LoginKit(ctx, kit)), e.LoginKit(ctx, kit))
	},
	"closeOthers": func(p *program, _ context.Context, _ int) error {
		for _, e := range p.others {
			e.Close()
		}
		p.others = nil
		return nil
	},
}

func ignore(error) error { return nil }

// control serves POST /programs?mode=MODE, which starts a program and answers
// with its number and the address of its page, and POST /programs/N/ACT?n=NUMBER,
// which answers with the error of the act, if any.
func control(t *testing.T) http.Handler {
	var mu sync.Mutex
	var programs []*program
	mux := http.NewServeMux()
	mux.HandleFunc("POST /programs", func(w http.ResponseWriter, r *http.Request) {
		var mode engine.Mode
		if err := mode.UnmarshalText([]byte(r.FormValue("mode"))); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		p := startProgram(t, mode)
		programs = append(programs, p)
		fmt.Fprintf(w, "%d http://%s/debug/imreuse/", len(programs)-1, p.addr)
	})
	mux.HandleFunc("POST /programs/{number}/{act}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		number, err := strconv.Atoi(r.PathValue("number"))
		act := acts[r.PathValue("act")]
		if err != nil || number >= len(programs) || act == nil {
			http.NotFound(w, r)
			return
		}
		n, _ := strconv.Atoi(r.FormValue("n"))
		ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
		defer cancel()
		if err := act(programs[number], ctx, n); err != nil {
			fmt.Fprint(w, err)
		}
	})
	return mux
}
