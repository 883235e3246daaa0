package gatewaydouble

import (
	"errors"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// This file lets the tests of package nimhttptest look inside.

// Readers returns the number of reads that are waiting.
func (g *Gateway) Readers() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, slot := range g.run.slots {
		n += len(slot.readers)
	}
	return n
}

// Devices returns the gateway's devices in the world.
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

// Asking returns the number of calls of a slot that are running or queued.
func (g *Gateway) Asking(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run.slots[name].asking
}

// Hold gives a slot a login that the world has already ended with cause. It
// returns the SDK's code in the reply, or 0 if the call succeeded.
func (g *Gateway) Hold(name string, a engine.IMAccount, cause error) (code int) {
	slot := g.current().find(name)
	_, _, err := slot.hold(&imLogin{account: a, owner: "o"}, &imLink{slot: slot, device: g.world.Device(), cause: cause})
	var p *problem
	if errors.As(err, &p) {
		return *p.code
	}
	return 0
}
