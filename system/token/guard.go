package token

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// The refusals of a Guard.
var (
	errTooOften = &Refusal{http.StatusTooManyRequests, "Too many attempts"}
	errTooLong  = &Refusal{http.StatusBadRequest, "A name is too long"}
)

// maxWord bounds a name, bytes: a DNS name, or anything shorter.
const maxWord = 253

// Guard stands before a Grantor: it refuses who guesses, and logs the others. It
// takes nothing for granted of where claims come from but their From.
type Guard struct {
	Grantor Grantor
	Log     *slog.Logger
	Now     func() time.Time

	// ByKey lets the key of a claim name the grant, beside its uid.
	ByKey bool

	limiter limiter
}

// Redeem implements Grantor.
func (g *Guard) Redeem(ctx context.Context, c Claim) ([]byte, error) {
	whose := network(c.From)
	if g.limiter.limited(whose, g.Now()) {
		return nil, errTooOften
	}
	if max(len(c.Grant)/2, len(c.Name), len(c.Subject)) > maxWord || len(c.Code) > maxCode {
		g.limiter.failed(whose, g.Now())
		return nil, errTooLong
	}
	if !g.ByKey {
		c.Key = GrantKey{}
	}
	documents, err := g.Grantor.Redeem(ctx, c)
	g.Log.Info("redemption", "peer", c.From, "grant", c.Grant, "subject", c.Subject, "err", err)
	if err != nil {
		g.limiter.failed(whose, g.Now())
	}
	return documents, err
}
