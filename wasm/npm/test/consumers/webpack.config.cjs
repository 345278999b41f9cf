// Nothing to set but where from and where to.
module.exports = { mode: "production", context: __dirname, entry: "./page.js", output: { path: `${__dirname}/dist-webpack`, filename: "page.js" } };
