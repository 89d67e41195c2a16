package main

import (
	"context"
	"crypto/md5" //nolint:gosec // see sqsEvent
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strconv"

	"github.com/aws/aws-lambda-go/events"

	"rootbridge"
	"rootbridge/lambda"
)

const (
	batchSize = 10
	queueARN  = "arn:aws:sqs:" + region + ":000000000000:orders"
	sender    = "AROA00000000000000000:lambda-shop" // a role's id and its session
)

// consume does what Lambda's event source mapping does, with ReportBatchItemFailures: it hands batches to the function until
// ctx ends. A batch that it has begun it ends.
func consume(ctx context.Context, orders *queue, function *rootbridge.Host, logger *slog.Logger) {
	for {
		batch := orders.receive(ctx, batchSize)
		if len(batch) == 0 {
			return
		}
		result, err := lambda.Invoke[events.SQSEventResponse](context.WithoutCancel(ctx), function, "", sqsEvent(batch))
		if err != nil {
			logger.Error("a batch failed", "error", err)
		}
		failed := failedOf(batch, result, err)
		logger.Info("batch", "messages", len(batch), "failed", len(failed))
		orders.settle(batch, failed)
	}
}

func sqsEvent(batch []*message) events.SQSEvent {
	records := make([]events.SQSMessage, len(batch))
	for i, m := range batch {
		sum := md5.Sum(m.Body) //nolint:gosec // SQS's own check, of nothing secret
		records[i] = events.SQSMessage{
			MessageId:     m.ID,
			ReceiptHandle: rand.Text(), // of this delivery; nobody takes it back here
			Body:          string(m.Body),
			Md5OfBody:     hex.EncodeToString(sum[:]),
			Attributes: map[string]string{
				"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.received.UnixMilli(), 10),
				"SenderId":                         sender,
				"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
			},
			MessageAttributes: map[string]events.SQSMessageAttribute{},
			EventSource:       "aws:sqs",
			EventSourceARN:    queueARN,
			AWSRegion:         region,
		}
	}
	return events.SQSEvent{Records: records}
}

// failedOf says which messages are to be delivered again. As with SQS these are all of the batch if the function failed, or
// named a message that is not in it (Lambda guide, "Implementing partial batch responses").
func failedOf(batch []*message, result events.SQSEventResponse, err error) map[string]bool {
	all := map[string]bool{}
	for _, m := range batch {
		all[m.ID] = true
	}
	if err != nil {
		return all
	}
	failed := map[string]bool{}
	for _, failure := range result.BatchItemFailures {
		if !all[failure.ItemIdentifier] {
			return all
		}
		failed[failure.ItemIdentifier] = true
	}
	return failed
}
