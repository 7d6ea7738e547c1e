package main

import (
	"context"
	"errors"

	"github.com/skupper-host/skupper/cmd/skupper/internal/command"
	"github.com/skupper-host/skupper/system/token/pipe"
)

func (p *program) grantServerCommands() *command.Command {
	return &command.Command{
		Name: "grant-server", Summary: "what faces the network for the agent of the system when tokens are redeemed", Hidden: true, Daemon: true,
		Text: "The agent of the system is root, and so listens to nobody but the users of its host. While there is a token to redeem it runs this " +
			"process, as the user skupper or, where there is none, as nobody, without a capability, a file or a variable of the environment. " +
			"It ends TLS, reads requests, and asks the agent over a pipe. The agent alone knows the tokens, and decides.\n\n" +
			"It ends with the agent. When it ends by itself the agent starts it again, and says so in the status of each AccessGrant.",
		Commands: []*command.Command{{
			Name: "run", Summary: "serve the socket that the agent hands over, as it does",
			Text: "Nobody but the agent can start it: it takes a listening socket and a pipe as open descriptors.",
			Examples: []command.Example{
				{Line: "skupper grant-server run", Text: "What the agent starts; by hand it only says so"},
				{Line: "ps -o user,group,pid,args -C skupper", Text: "See it beside the agent and the routers, and whom they run as"},
			},
			Run: func(ctx context.Context, _ *command.Input) error { return grantServerRun(ctx) },
		}},
	}
}

func grantServerRun(ctx context.Context) error {
	err := pipe.Run(ctx)
	if errors.Is(err, pipe.ErrAlone) {
		return &command.UsageError{Message: err.Error(), Advice: "the agent of the system starts this process when there is a token to redeem: skupper token issue FILE"}
	}
	return err
}
