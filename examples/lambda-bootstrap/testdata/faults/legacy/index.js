exports.handler = async (event, context) => {
  switch (event.do) {
    case 'throw': throw new RangeError('no');
    case 'uncaught': setTimeout(() => { throw new TypeError('late'); }, 1); break;
    case 'exit': process.exit(3);
    case 'hang': break;
    case 'tell': return { pid: process.pid, id: context.awsRequestId, arn: context.invokedFunctionArn, client: context.clientContext, identity: context.identity, remaining: context.getRemainingTimeInMillis() };
    default: return event;
  }
  await new Promise((resolve) => setTimeout(resolve, 600000));
};
