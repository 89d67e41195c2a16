import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { identicon } from "./identicon.mjs";

const articles = JSON.parse(await readFile(new URL("articles.json", import.meta.url), "utf8"));
const emailPattern = /^([a-z0-9]+[._-]?)+@([a-z0-9-]+\.)+[a-z]{2,}$/i;

export const handler = async (event) => {
  switch (event.routeKey) {
    case "GET /search":
      return search(event.queryStringParameters ?? {});
    case "GET /visits":
      return countVisit(event.cookies ?? []);
    case "GET /avatars/{name}":
      return avatar(event.pathParameters.name);
    case "POST /images":
      return inspectImage(event);
    case "POST /newsletter":
      return subscribe(JSON.parse(event.body ?? "{}"));
    default:
      return json(404, { message: `no route ${event.routeKey}` });
  }
};

// ?q=water&tag=coffee&tag=tea: API Gateway joins repeated keys by commas
const search = ({ q = "", tag = "" }) => {
  const tags = tag.split(",").filter(Boolean);
  const found = articles.filter(
    (article) =>
      article.title.toLowerCase().includes(q.toLowerCase()) && tags.every((wanted) => article.tags.includes(wanted)),
  );
  return json(200, { q, tags, found: found.map(({ slug, title }) => ({ slug, title })) });
};

const countVisit = (cookies) => {
  const jar = Object.fromEntries(cookies.map((cookie) => cookie.split("=")));
  const visits = Number(jar.visits ?? 0) + 1;
  return {
    ...json(200, { visits, theme: jar.theme ?? "light" }),
    cookies: [`visits=${visits}; Path=/; Max-Age=31536000; HttpOnly`, `last=${visits === 1 ? "new" : "back"}; Path=/`],
  };
};

const avatar = (name) => ({
  statusCode: 200,
  headers: { "content-type": "image/png", "cache-control": "public, max-age=86400" },
  isBase64Encoded: true,
  body: identicon(decodeURIComponent(name)).toString("base64"),
});

const inspectImage = (event) => {
  const bytes = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  if (bytes.toString("latin1", 1, 4) !== "PNG") {
    return json(415, { message: "send a PNG" });
  }
  return json(200, {
    bytes: bytes.length,
    width: bytes.readUInt32BE(16),
    height: bytes.readUInt32BE(20),
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
};

// without a statusCode the whole object is the body
const subscribe = ({ email = "" }) =>
  emailPattern.test(email) ? { subscribed: email } : json(400, { message: "not an address" });

const json = (statusCode, body) => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
