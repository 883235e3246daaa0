package nimhttptest

import (
	"cmp"
	"strings"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/dynamictoken"
)

// A claim is a kit account as a client names it, before it is checked.
type claim struct {
	engine.KitAccount
	appKey  string
	dynamic bool // the token is a dynamic one of IM
}

// accountOf returns the kit account with which to ask the world. The world knows
// only static tokens and checks them itself. A dynamic token is checked here, and
// the account's static token takes its place. It fails with a *refusal.
func (s *Server) accountOf(a claim) (engine.KitAccount, error) {
	if !a.dynamic {
		return a.KitAccount, nil
	}
	s.api.Lock() // two logins at once make one account
	defer s.api.Unlock()
	known, bound, found := s.world.FindKit(a.UserUUID)
	_, isIM := s.world.FindIM(a.UserUUID)
	if !found && !isIM {
		return engine.KitAccount{}, refuse(codeWrongToken)
	}
	accid := cmp.Or(bound, a.UserUUID)
	if strings.EqualFold(accid, a.UserUUID) {
		accid = a.UserUUID // in the signer's spelling
	}
	if err := dynamictoken.Check(a.Token, a.appKey, s.appSecret(), accid, s.now()); err != nil {
		return engine.KitAccount{}, refusalOf(err)
	}
	if !found {
		known = engine.KitAccount{UserUUID: a.UserUUID, Token: newID()}
		s.world.Bind(known, a.UserUUID)
	}
	return known, nil
}
