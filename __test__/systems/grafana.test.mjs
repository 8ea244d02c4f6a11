// The dashboard and the alerts of docs/grafana: promtool reads what they ask, Prometheus answers it
// from a tasker that it scrapes.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { root } from '../../scripts/steps.mjs'
import { scraped, scripted } from './prometheus/run.mjs'
import { promtool } from './prometheus/tools.mjs'

const place = name => join(root, 'docs/grafana', name)
const dashboard = JSON.parse(readFileSync(place('dashboard.json'), 'utf8'))
const alerts = readFileSync(place('alerts.yml'), 'utf8')
/** What nothing is known of as long as all is well. */
const QUIET = ['Commits refused']

/** Every panel that asks for something, with its expressions as Grafana would send them. */
const panels = dashboard.panels
  .filter(({ type }) => type !== 'row')
  .map(({ title, targets }) => ({ title, asked: targets.map(({ expr }) => filled(expr)) }))

function filled(expr) {
  return expr
    .replaceAll('$job', 'tasker')
    .replaceAll('$operation', '.*')
    .replaceAll('$__rate_interval', '30s')
}

/** A folder that is removed after the test. */
function folder(t) {
  const made = mkdtempSync(join(tmpdir(), 'tasker-grafana-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

test('a dashboard is whole: one id for each panel, none on another, one source of data', () => {
  const ids = dashboard.panels.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  const taken = new Set()
  for (const { title, gridPos } of dashboard.panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(x < 24 && !taken.has(`${x} ${y}`), `${title} lies upon another panel`)
        taken.add(`${x} ${y}`)
      }
    }
  }
  const [source] = dashboard.templating.list
  assert.deepEqual([source.type, source.query], ['datasource', 'prometheus'])
  const uids = [...JSON.stringify(dashboard).matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid)
  assert.deepEqual([...new Set(uids)].sort(), [`\${${source.name}}`, dashboard.uid].sort())
})

test('promtool reads every expression of the dashboard, and the alerts', async t => {
  const asked = panels.flatMap(({ asked }) => asked)
  assert.ok(asked.length > 40)
  const rules = asked.map((expr, n) => ({ record: `dashboard:expression:${n}`, expr }))
  const written = join(folder(t), 'dashboard.yml')
  // JSON is YAML.
  writeFileSync(written, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
  assert.match(await promtool(['check', 'rules', written]), RegExp(`${asked.length} rules found`))
  await promtool(['check', 'rules', place('alerts.yml')])
})

test('each alert fires when it should, and only then', async () => {
  await promtool(['test', 'rules', place('alerts.test.yml')])
  const tests = readFileSync(place('alerts.test.yml'), 'utf8')
  for (const [, name] of alerts.matchAll(/alert: (\w+)/g)) {
    const own = RegExp(`alertname: ${name}\\n +eval_time: \\w+\\n +exp_alerts:\\n`)
    assert.match(tests, own, `${name} never fires`)
  }
})

/** Prometheus, which scrapes a server; what this gives asks it. */
async function prometheus(t, { port, token }) {
  const where = mkdtempSync(join(tmpdir(), 'tasker-prometheus-'))
  const settings = `
global: { scrape_interval: 500ms, scrape_timeout: 500ms }
scrape_configs:
  - job_name: tasker
    authorization: { credentials: ${token} }
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`
  writeFileSync(join(where, 'prometheus.yml'), settings)
  const args = [
    'config.file=prometheus.yml',
    'storage.tsdb.path=data',
    'web.listen-address=127.0.0.1:0',
  ]
  const stdio = ['ignore', 'inherit', 'pipe']
  const child = spawn(
    'prometheus',
    args.map(word => `--${word}`),
    { cwd: where, stdio },
  )
  const exit = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await exit
    rmSync(where, { recursive: true, force: true })
  })
  const address = await new Promise((resolve, reject) => {
    exit.then(([code]) => reject(new Error(`Prometheus ended with ${code}`)), reject)
    createInterface({ input: child.stderr }).on('line', line => {
      const [, found] = /Listening on".* address=(\S+)/.exec(line) ?? []
      if (found) resolve(found)
    })
  })
  return async expr => {
    const query = `http://${address}/api/v1/query?query=${encodeURIComponent(expr)}`
    const response = await fetch(query)
    const { status, error, data } = await response.json()
    if (status !== 'success') assert.equal(response.status, 503, `${expr}: ${error}`)
    return data?.result ?? []
  }
}

test('Prometheus has an answer for every panel', { timeout: 300_000 }, async t => {
  const { server } = await scripted(t)
  const ask = await prometheus(t, server)
  for (const { title, asked } of panels.filter(({ title }) => !QUIET.includes(title))) {
    for (const expr of asked) {
      let found = []
      // A rate needs two looks at the tasker.
      while (found.length === 0) found = await ask(expr)
      t.diagnostic(`${title}: ${found.length} series`)
    }
  }
})

test('what is asked for is what a tasker tells', async t => {
  const { server } = await scripted(t)
  const text = await scraped(server, 'text/plain')
  const told = new Set()
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const ends = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    for (const end of ends) told.add(name + end)
  }
  const asked = JSON.stringify(dashboard) + alerts
  const names = new Set(asked.match(/\btasker_\w+/g))
  assert.ok(names.size > 20)
  assert.deepEqual(
    [...names].filter(name => !told.has(name)),
    [],
  )
})
