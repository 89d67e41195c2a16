const { DynamoDBClient } = require("@aws-sdk/client-dynamodb");
const { DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } = require("@aws-sdk/lib-dynamodb");

const { PRODUCTS_TABLE, ORDERS_TABLE } = process.env;

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}));

exports.lambdaHandler = async (event, context) => {
  const batchItemFailures = [];
  console.log(`${event.Records.length} orders from ${event.Records[0].eventSourceARN}`);

  for (const record of event.Records) {
    try {
      await processOrder(JSON.parse(record.body));
    } catch (error) {
      console.error(
        `message ${record.messageId} failed, delivery ${record.attributes.ApproximateReceiveCount}: ${error.message}`
      );
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }

  return { batchItemFailures };
};

async function processOrder(order) {
  // SQS delivers at least once
  if (await isProcessed(order.orderId)) {
    console.log(`order ${order.orderId} was processed before`);
    return;
  }
  await reserveStock(order.productId, order.quantity);
  await client.send(
    new PutCommand({
      TableName: ORDERS_TABLE,
      Item: { id: order.orderId, productId: order.productId, quantity: order.quantity, status: "reserved" },
    })
  );
  console.log(`order ${order.orderId} reserved ${order.quantity} of ${order.productId}`);
}

async function isProcessed(orderId) {
  const { Item } = await client.send(
    new GetCommand({ TableName: ORDERS_TABLE, Key: { id: orderId }, ConsistentRead: true })
  );
  return Item !== undefined;
}

async function reserveStock(productId, quantity) {
  try {
    await client.send(
      new UpdateCommand({
        TableName: PRODUCTS_TABLE,
        Key: { id: productId },
        UpdateExpression: "SET stock = stock - :quantity",
        ConditionExpression: "attribute_exists(id) AND stock >= :quantity",
        ExpressionAttributeValues: { ":quantity": quantity },
      })
    );
  } catch (error) {
    if (error.name === "ConditionalCheckFailedException") {
      throw new Error(`there are not ${quantity} of ${productId}`);
    }
    throw error;
  }
}
