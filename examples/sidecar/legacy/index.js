// What a team has had for years: no server, no HTTP, one function.
exports.validate = (customer) => ({ valid: /^\S+@\S+$/.test(customer.email ?? "") });
