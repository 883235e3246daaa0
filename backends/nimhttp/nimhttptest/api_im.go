package nimhttptest

import (
	"cmp"

	"github.com/imreuse/imreuse/engine"
)

// The calls for IM accounts (docs/vendor/http.md#im-accounts).

const (
	codeNoSuchAccount = 102404
	codeAccountExists = 102405
)

func refuseUnknownIM() *refusal { return refuseCall(codeNoSuchAccount, "account does not exist") }

// imRequest is the body of a create or an update.
type imRequest struct {
	AccountID string           `json:"account_id"`
	Token     string           `json:"token"`
	User      *userInformation `json:"user_information"`
}

type userInformation struct {
	Name      string `json:"name"`
	Avatar    string `json:"avatar"`
	Sign      string `json:"sign"`
	Email     string `json:"email"`
	Birthday  string `json:"birthday"`
	Mobile    string `json:"mobile"`
	Gender    int    `json:"gender"`
	Extension string `json:"extension"`
}

type imAccount struct {
	AccountID     string           `json:"account_id"`
	Token         string           `json:"token,omitempty"`
	Configuration configuration    `json:"configuration"`
	User          *userInformation `json:"user_information,omitempty"`
}

// configuration is the same for all accounts.
type configuration struct {
	Enabled            bool `json:"enabled"`
	P2PChatBanned      bool `json:"p2p_chat_banned"`
	TeamChatBanned     bool `json:"team_chat_banned"`
	ChatroomChatBanned bool `json:"chatroom_chat_banned"`
	QChatChatBanned    bool `json:"qchat_chat_banned"`
}

func (c apiCall) readIM() (imRequest, error) {
	var r imRequest
	if err := c.read(&r); err != nil {
		return r, err
	}
	texts := []text{{"token", r.Token, 128}}
	if u := r.User; u != nil {
		texts = append(texts, text{"name", u.Name, 64}, text{"avatar", u.Avatar, 1024}, text{"sign", u.Sign, 256}, text{"email", u.Email, 64},
			text{"birthday", u.Birthday, 16}, text{"mobile", u.Mobile, 32}, text{"extension", u.Extension, 1024})
		if u.Gender < 0 || u.Gender > 2 {
			return r, refuseCall(c.parameter, "gender is not 0, 1 or 2")
		}
	}
	return r, c.checkTexts(texts...)
}

func (s *Server) createIM(c apiCall) (any, error) {
	r, err := c.readIM()
	if err != nil {
		return nil, err
	}
	accid, err := c.fold("account_id", r.AccountID)
	if err != nil {
		return nil, err
	}
	if _, exists := s.world.FindIM(accid); exists {
		return nil, refuseCall(codeAccountExists, "account already exists")
	}
	return s.setIM(engine.IMAccount{AppKey: c.appKey, Accid: accid, Token: cmp.Or(r.Token, newID())}, r.User), nil
}

func (s *Server) updateIM(c apiCall) (any, error) {
	r, err := c.readIM()
	if err != nil {
		return nil, err
	}
	a, found := s.world.FindIM(c.id)
	if !found {
		return nil, refuseUnknownIM()
	}
	a.Token = cmp.Or(r.Token, a.Token)
	return s.setIM(a, r.User), nil
}

func (s *Server) setIM(a engine.IMAccount, user *userInformation) imAccount {
	s.world.AddIM(a)
	return imAccount{a.Accid, a.Token, configuration{Enabled: true}, user}
}

func (s *Server) showIM(c apiCall) (any, error) {
	a, found := s.world.FindIM(c.id)
	if !found {
		return nil, refuseUnknownIM()
	}
	return imAccount{a.Accid, a.Token, configuration{Enabled: true}, nil}, nil
}

// listIM shows no tokens, like the vendor's server.
func (s *Server) listIM(c apiCall) (any, error) {
	ids, err := c.ids("account_ids")
	if err != nil {
		return nil, err
	}
	shown, failed := []imAccount{}, []object{}
	for _, id := range ids {
		if a, found := s.world.FindIM(id); found {
			shown = append(shown, imAccount{a.Accid, "", configuration{Enabled: true}, nil})
		} else {
			failed = append(failed, object{"account_id": id, "error_code": codeNoSuchAccount, "error_msg": refuseUnknownIM().text})
		}
	}
	return object{"success_list": shown, "failed_list": failed}, nil
}
