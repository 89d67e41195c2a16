exports.handler = awslambda.streamifyResponse(async ({ status }, stream) => {
  if (status === undefined) stream.setContentType('text/plain');
  else stream = awslambda.HttpResponseStream.from(stream, { statusCode: status });
  stream.write('Hello ');
  stream.end('World');
});
