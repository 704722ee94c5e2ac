package redislimit_test

import (
	"context"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/redislimit"
)

// Each of 32 processes runs this, with at most 8 calls at a time.
func Example() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	limiter, err := redislimit.New(rdb, "cloudflare", 1200-32*8, 5*time.Minute, redislimit.WithFallback(32))
	if err != nil {
		log.Fatal(err)
	}
	client, err := secretsstore.NewClient(secretsstore.WithLimiter(limiter))
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = client.Secrets.Patch(context.Background(), "023e105f4ecef8ad9ca31a8372d0c353", "3fd85f74b32742f1bff64a85009dda07",
		secretsstore.SecretPatch{Comment: secretsstore.Ptr("info about my secret")})
	if err != nil {
		log.Fatal(err)
	}
}
