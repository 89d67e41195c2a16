exports.handler = async (event => {};
