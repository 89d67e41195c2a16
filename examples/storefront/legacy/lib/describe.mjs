import slugify from '@sindresorhus/slugify';
import { marked } from 'marked';
import sanitizeHtml from 'sanitize-html';

// what suppliers may use in their texts
const allowed = {
  allowedTags: ['h2', 'h3', 'p', 'ul', 'ol', 'li', 'em', 'strong', 'a', 'br', 'blockquote'],
  allowedAttributes: { a: ['href', 'rel'] },
  allowedSchemes: ['https', 'mailto'],
  transformTags: {
    h1: 'h2',
    a: sanitizeHtml.simpleTransform('a', { rel: 'nofollow' }),
  },
};

const EXCERPT = 140;

export function describe({ title, markdown }) {
  const html = sanitizeHtml(marked.parse(markdown, { mangle: false, headerIds: false }), allowed);
  const text = sanitizeHtml(html, { allowedTags: [], allowedAttributes: {} }).replace(/\s+/g, ' ').trim();
  return { slug: slugify(title), html, excerpt: shorten(text), words: text.split(' ').filter(Boolean).length };
}

function shorten(text) {
  if (text.length <= EXCERPT) return text;
  return `${text.slice(0, text.lastIndexOf(' ', EXCERPT))} …`;
}
