package play

import "github.com/imreuse/imreuse/engine"

// A Story is a list of acts that show one thing. The page runs them, so a
// visitor can stop in the middle and go on by hand.
type Story struct {
	ID    string `json:"id"`
	Title Text   `json:"title"`
	About Text   `json:"about"`
	Steps []Step `json:"steps"`
}

// A Step is one act of a story, and what to say about it.
type Step struct {
	Act     string `json:"act"`
	Details act    `json:"details"`
	Say     Text   `json:"say"`
}

func startIn(m engine.Mode, say Text) Step { return Step{"reset", &reset{newSetup{Mode: &m}}, say} }

var (
	freshReuse = startIn(engine.ReuseIM, Text{"A fresh engine with reuse on.", "全新的引擎，已开启 IM 复用。"})
	loginBound = func(say Text) Step { return Step{"login_kit", &loginKit{boundAccount}, say} }
)

var stories = []Story{
	{
		"auto_login",
		Text{"Auto-login", "自动登录"},
		Text{"Reuse is off: the engine logs IM in for the kit, and out again.", "未开启复用：由引擎为组件登录 IM，并负责登出。"},
		[]Step{
			startIn(engine.AutoLogin, Text{"A fresh engine with reuse off.", "全新的引擎，未开启复用。"}),
			loginBound(Text{"One call climbs the whole ladder: IM is initialised, alice is logged in to IM, then the kit.",
				"一次调用走完全程：初始化 IM、登录 alice 的 IM 账号、登录组件。"}),
			{"logout_kit", &logoutKit{}, Text{"The engine logged IM in for the kit, so it logs both out.",
				"IM 是引擎为组件登录的，因此两者一并登出。"}},
			{"login_anonymous", &loginAnonymous{}, Text{"With reuse off a guest can join, over a temporary IM account.",
				"未开启复用时支持匿名入会，使用临时 IM 账号。"}},
			{"logout_kit", &logoutKit{}, Text{"The guest leaves, and so does the temporary IM login.",
				"匿名用户退出，临时的 IM 登录也随之登出。"}},
			{"host_login", &hostLogin{imChoice{alice}}, Text{"Now the app logs IM in itself, with its own IM client.",
				"现在由应用用自己的 IM 客户端登录 IM。"}},
			loginBound(Text{"IM holds one login at a time, so with reuse off the kit login fails. Nothing was logged out.",
				"IM 同一时间只能有一个登录，因此未开启复用时组件登录失败，已有的登录不受影响。"}),
		},
	},
	{
		"reuse",
		Text{"IM reuse", "IM 复用"},
		Text{"Reuse is on: the kit sits on the app's own IM login.", "已开启复用：组件使用应用自己的 IM 登录。"},
		[]Step{
			freshReuse,
			loginBound(Text{"Too early: nobody has logged IM in. The error is 100004.", "太早了：还没有人登录 IM，返回 100004。"}),
			{"host_init", &hostInit{}, Text{"The app initialises its own IM client.", "应用初始化自己的 IM 客户端。"}},
			{"host_login", &hostLogin{imChoice{alice}}, Text{"The app logs alice in, behind the engine's back.",
				"应用绕过引擎登录 alice。"}},
			loginBound(Text{"The engine finds that login and reuses it.", "引擎发现这次登录，并直接复用。"}),
			{"logout_kit", &logoutKit{}, Text{"The kit leaves; the app's chat stays logged in.", "组件登出，应用的聊天仍然在线。"}},
			{"login_anonymous", &loginAnonymous{}, Text{"A guest cannot reuse an IM login. The error is 112001.",
				"IM 复用不支持匿名入会，返回 112001。"}},
		},
	},
	{
		"mismatch",
		Text{"Mismatch", "账号不匹配"},
		Text{"Reuse is on, but the app has logged in another IM account.", "已开启复用，但应用登录的是另一个 IM 账号。"},
		[]Step{
			freshReuse,
			{"host_init", &hostInit{}, Text{"The app initialises its own IM client.", "应用初始化自己的 IM 客户端。"}},
			{"host_login", &hostLogin{imChoice{bob}}, Text{"The app logs bob in. The kit account is bound to alice.",
				"应用登录了 bob，而组件账号绑定的是 alice。"}},
			loginBound(Text{"The accounts differ. The error is 100005, and bob stays logged in.",
				"账号不一致，返回 100005；bob 仍保持登录。"}),
			{"create_kit_account", &createKitAccount{bob}, Text{"The remedy: the app server creates the kit account again, bound to bob.",
				"处理办法：应用服务器重新创建组件账号，绑定到 bob。"}},
			loginBound(Text{"Now the accounts match, and the kit reuses bob's login.", "账号一致，组件复用 bob 的登录。"}),
		},
	},
	{
		"kick",
		Text{"Kick", "被踢下线"},
		Text{"Another device logs in, and both logins end here.", "另一台设备登录，本机的两个登录都结束。"},
		[]Step{
			freshReuse,
			{"init_im", &initIM{}, Text{"The app initialises IM, this time through the engine.", "应用初始化 IM，这次通过引擎。"}},
			{"login_im", &loginIM{imChoice{alice}}, Text{"The app logs alice in.", "应用登录 alice。"}},
			loginBound(Text{"The kit reuses that login.", "组件复用这次登录。"}),
			{"kick", &kick{engine.KickedByClient}, Text{"alice logs in on another device. The service ends both logins at once.",
				"alice 在另一台设备上登录，服务端立即结束这里的两个登录。"}},
			loginBound(Text{"Nothing logs in again by itself: two devices that did would kick each other forever.",
				"不会自动重新登录：否则两台设备会互踢不止。"}),
			{"login_im", &loginIM{imChoice{alice}}, Text{"The user asks for it, so the app logs alice in again …",
				"用户要求重新登录，应用再次登录 alice……"}},
			loginBound(Text{"… and then the kit.", "……再登录组件。"}),
		},
	},
}
