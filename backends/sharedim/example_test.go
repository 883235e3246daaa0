package sharedim_test

import (
	"context"
	"fmt"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/sharedim"
	"github.com/imreuse/imreuse/engine"
)

// An app has a meeting kit and a room kit, and one IM client. The room kit
// joins the login that the meeting kit made, and keeps it when that one leaves.
func Example() {
	cloud := mockim.NewService(mockim.ServiceOptions{AppKey: "app1"}) // yours is a real one
	cloud.AddIM(engine.IMAccount{Accid: "alice", Token: "imToken"})
	user, err := cloud.CreateKitAccount("alice", "imToken")
	if err != nil {
		fmt.Println(err)
		return
	}
	im := cloud.Device()
	if err := twoKits(context.Background(), im, cloud.Device(), cloud.Device(), user, im.LoggedIn); err != nil {
		fmt.Println(err)
	}
	// Output:
	// both in: alice
	// meeting out: alice
	// both out: nobody
}

func twoKits(ctx context.Context, im engine.IM, meetingKit, roomKit engine.Kit, user engine.KitAccount, loggedIn func() string) error {
	shared := sharedim.New(im)
	meeting, err := engine.New(engine.Join(shared.Seat(), meetingKit), "app1", nil)
	if err != nil {
		return err
	}
	defer meeting.Close()
	room, err := engine.New(engine.Join(shared.Seat(), roomKit), "app1", nil)
	if err != nil {
		return err
	}
	defer room.Close()

	if err := meeting.LoginKit(ctx, user); err != nil { // logs IM in
		return err
	}
	if err := room.LoginKit(ctx, user); err != nil { // joins that login
		return err
	}
	fmt.Println("both in:", loggedIn())
	if err := meeting.LogoutKit(ctx); err != nil {
		return err
	}
	fmt.Println("meeting out:", loggedIn())
	if err := room.LogoutKit(ctx); err != nil { // the last one: logs IM out
		return err
	}
	if loggedIn() == "" {
		fmt.Println("both out: nobody")
	}
	return nil
}
