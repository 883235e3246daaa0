package gatewaydouble

import (
	"errors"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// This file shows the tests of package nimhttptest what is inside.

// Readers is how many reads wait.
func (g *Gateway) Readers() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, slot := range g.run.slots {
		n += len(slot.readers)
	}
	return n
}

// Devices are those that the gateway has in the world.
func (g *Gateway) Devices() []*mockim.Device {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []*mockim.Device
	for _, slot := range g.run.slots {
		if slot.login != nil && slot.login.link != nil {
			all = append(all, slot.login.link.device)
		}
	}
	return all
}

// Asking is how many calls of a slot are being answered or queue.
func (g *Gateway) Asking(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run.slots[name].asking
}

// Hold lets a slot hold a login that the world has ended already, and returns
// the SDK's code in the reply; 0: it succeeded.
func (g *Gateway) Hold(name string, a engine.IMAccount, cause error) (code int) {
	slot := g.current().find(name)
	_, _, err := slot.hold(&imLogin{account: a, owner: "o"}, &imLink{slot: slot, device: g.world.Device(), cause: cause})
	var p *problem
	if errors.As(err, &p) {
		return *p.code
	}
	return 0
}
