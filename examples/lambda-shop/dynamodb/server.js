// A DynamoDB in memory, by dynalite, with the shop's tables. It prints its URL when they are there, and ends with its stdin.
import { readFile } from "node:fs/promises";
import dynalite from "dynalite";

const server = dynalite({ createTableMs: 0 });
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;
const products = JSON.parse(await readFile(new URL("products.json", import.meta.url), "utf8"));

await createTable("products");
await createTable("orders");
await call("BatchWriteItem", {
  RequestItems: { products: products.map((item) => ({ PutRequest: { Item: attributes(item) } })) },
});
process.stdout.write(`${url}\n`);
process.stdin.on("end", () => process.exit()).resume();
process.on("SIGINT", () => {}); // Ctrl-C is for the server, whose last requests still need the tables

async function createTable(name) {
  await call("CreateTable", {
    TableName: name,
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
    KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    BillingMode: "PAY_PER_REQUEST",
  });
  let table;
  do {
    table = (await call("DescribeTable", { TableName: name })).Table;
  } while (table.TableStatus !== "ACTIVE");
}

// Dynalite wants to see a signature, and does not check it.
async function call(operation, input) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${operation}`,
      "x-amz-date": "20260101T000000Z",
      authorization:
        "AWS4-HMAC-SHA256 Credential=local/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: JSON.stringify(input),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`expected ${operation} to succeed, got ${response.status} ${text}`);
  }
  return JSON.parse(text);
}

function attributes(item) {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [
      key,
      typeof value === "number" ? { N: String(value) } : { S: value },
    ]),
  );
}
