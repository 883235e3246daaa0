package nimhttptest

import (
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// GatewayReaders is how many reads of the gateway wait.
func (s *Server) GatewayReaders() int { return s.gateway.Readers() }

// GatewayDevices are those that the gateway has in the world.
func (s *Server) GatewayDevices() []*mockim.Device { return s.gateway.Devices() }

// GatewayAsking is how many calls of a slot are being answered or queue.
func (s *Server) GatewayAsking(name string) int { return s.gateway.Asking(name) }

// GatewayHold lets a slot hold a login that the world has ended already.
func (s *Server) GatewayHold(name string, a engine.IMAccount, cause error) (code int) {
	return s.gateway.Hold(name, a, cause)
}
