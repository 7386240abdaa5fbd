// Preloaded into the suite's client: sends each of its requests to the proxy in SUITE_PROXY, in absolute form
// (RFC 9112 §3.2.2), with the origin's Host. The client's fetch calls node's http.request and knows no proxies.
'use strict'

const http = require('http')

const proxy = new URL(process.env.SUITE_PROXY)
const direct = http.request

http.request = function (options, callback) {
  const authority = options.port ? `${options.hostname}:${options.port}` : options.hostname
  return direct.call(http, {
    method: options.method,
    headers: { Host: authority, ...options.headers },
    agent: options.agent,
    hostname: proxy.hostname,
    port: proxy.port,
    path: `http://${authority}${options.path}`
  }, callback)
}
