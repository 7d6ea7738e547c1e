// Package client asks the management node of a router: queries, and the
// creation, change and deletion of entities.
//
//	c, err := client.Dial(ctx, client.Target{Network: "unix", Address: path})
//	...
//	defer c.Close()
//	rows, err := c.Query(ctx, "io.skupper.router.connection", "identity", "host", "role")
//
// It speaks AMQP Management as skupper-router 3.x does and works with such a
// router as well as with ours: a dynamic receiver for replies, one sender to
// the node, requests told apart by their correlation-id. It knows nothing of
// entity types; values come as Go values of the table at Entity.
//
// A Client may be used by several goroutines at once. Dial starts the
// connection, Close ends it and waits for it.
package client
