package nimhttptest

import (
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// GatewayReaders returns the number of reads that are waiting at the gateway.
func (s *Server) GatewayReaders() int { return s.gateway.Readers() }

// GatewayDevices returns the gateway's devices in the world.
func (s *Server) GatewayDevices() []*mockim.Device { return s.gateway.Devices() }

// GatewayAsking returns the number of calls of a slot that are running or
// queued.
func (s *Server) GatewayAsking(name string) int { return s.gateway.Asking(name) }

// GatewayHold gives a slot a login that the world has already ended with cause.
func (s *Server) GatewayHold(name string, a engine.IMAccount, cause error) (code int) {
	return s.gateway.Hold(name, a, cause)
}
