package nimhttptest

import (
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// GatewayReaders is how many reads of the gateway wait.
func (s *Server) GatewayReaders() int {
	g := s.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, slot := range g.run.slots {
		n += len(slot.readers)
	}
	return n
}

// GatewayDevices are those that the gateway has in the world.
func (s *Server) GatewayDevices() []*mockim.Device {
	g := s.gateway
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

// GatewayAsking is how many calls of a slot are being answered or queue.
func (s *Server) GatewayAsking(name string) int {
	g := s.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.run.slots[name].asking
}

// GatewayHold lets a slot hold a login that the world has ended already.
func (s *Server) GatewayHold(name string, a engine.IMAccount, cause error) (code int) {
	slot := s.gateway.current().find(name)
	_, _, err := slot.hold(&imLogin{account: a, owner: "o"}, &imLink{slot: slot, device: s.world.Device(), cause: cause})
	if p, ok := err.(*problem); ok {
		return *p.code
	}
	return 0
}
