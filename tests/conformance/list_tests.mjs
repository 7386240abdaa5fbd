// Prints what the suite in the directory given would ask a proxy, as JSON: id, name, kind, what it depends on.
import { pathToFileURL } from 'node:url'

const root = pathToFileURL(`${process.argv[2]}/`)
const suites = (await import(new URL('tests/index.mjs', root))).default
const surrogate = (await import(new URL('tests/surrogate-control.mjs', root))).default

const asked = [...suites, surrogate].flatMap(suite => suite.tests.filter(test => !test.browser_only).map(test => ({
  id: test.id,
  name: test.name,
  suite: suite.id,
  kind: test.kind || 'required',
  depends_on: test.depends_on || []
})))
console.log(JSON.stringify(asked))
