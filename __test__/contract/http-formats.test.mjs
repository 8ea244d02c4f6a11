/** Bodies and answers in JSON and YAML, in whatever way they are sent. */
import assert from 'node:assert/strict'
import { request as send } from 'node:http'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { listening } from './http.mjs'

const YAML = 'text/yaml'
const JSON_TYPE = 'application/json'
const CREATE = `
method: awf.task/create-and-execute
params:
  definition: import
  params:
    url: >-
      https://storage.googleapis.com/x/Organization.ndjson.gz
    at: 2023-05-04T15:30:43
    no: no
    number: 12345678901234567890
    list: [1, 2.50, ~, 'x', "y\\n"]
    text: |
      one
      two
`

const type = response => response.headers.get('content-type')

test('YAML comes in and goes out, and means what the same JSON means', async t => {
  const { tasker, post } = await listening(t)
  const response = await post(CREATE, { 'content-type': YAML, accept: YAML })
  const answer = await response.text()
  assert.equal(response.status, 200, answer)
  assert.equal(type(response), 'text/yaml; charset=utf-8')
  assert.ok(answer.startsWith('result:\n  resource:\n    resourceType: AidboxTask\n'), answer)
  assert.ok(answer.includes('      number: 12345678901234567890\n'), answer)
  assert.ok(answer.includes('        - 2.50\n'), answer)
  const [task] = await tasker.findTasks()
  assert.deepEqual(task.data, {
    url: 'https://storage.googleapis.com/x/Organization.ndjson.gz',
    at: '2023-05-04T15:30:43',
    no: 'no',
    number: Number('12345678901234567890'),
    list: [1, 2.5, null, 'x', 'y\n'],
    text: 'one\ntwo\n',
  })
  // The answer is YAML that is read here, and says the same.
  const [, uuid] = /\n {4}id: "?([0-9a-f-]{36})"?\n/.exec(answer)
  const again = await post(`method: awf.task/status\nparams: {id: ${uuid}}`, {
    'content-type': YAML,
    accept: JSON_TYPE,
  })
  assert.deepEqual((await again.json()).result.resource.params, task.data)
})

test('an answer is in the format that is accepted, a refusal too', async t => {
  const { post } = await listening(t)
  for (const [body, contentType, accept, expected] of [
    ['{"method":"awf.task/list"}', JSON_TYPE, YAML, YAML],
    ['{"method":"awf.task/list"}', JSON_TYPE, '*/*', JSON_TYPE],
    ['{"method":"awf.task/list"}', 'application/json;charset=UTF-8', 'text/html', JSON_TYPE],
    ['{"method":"awf.task/list"}', YAML, '*/*', YAML],
    ['method: awf.task/list', 'application/yaml', `${YAML};q=0, ${JSON_TYPE}`, JSON_TYPE],
    ['method: awf.task/list', 'application/x-yaml', `text/html, ${YAML}, ${JSON_TYPE}`, YAML],
    ['{', JSON_TYPE, YAML, YAML],
    ['method: nothing', YAML, YAML, YAML],
    ['method: nothing', 'text/plain', YAML, YAML],
    ['- 1\n- 2', YAML, JSON_TYPE, JSON_TYPE],
  ]) {
    const response = await post(body, { 'content-type': contentType, accept })
    const what = `${body} ${contentType} ${accept} ${response.status}`
    assert.equal(type(response), `${expected}; charset=utf-8`, what)
    const answer = await response.text()
    const isYaml = !/^[[{]/.test(answer)
    assert.equal(isYaml, expected === YAML, answer)
  }
})

test('a body that comes in chunks is taken as it is', async t => {
  const { tasker, server } = await listening(t)
  const response = await new Promise((resolve, reject) => {
    const request = send(
      `${server.url}/rpc`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${server.token}`, 'content-type': JSON_TYPE },
      },
      resolve,
    )
    request.on('error', reject)
    // Without a length, so in chunks, within characters too.
    const bytes = Buffer.from(
      '{"method":"awf.task/create-and-execute","params":{"definition":"a","params":{"a":"é💡"}}}',
    )
    for (const byte of bytes) request.write(Buffer.of(byte))
    request.end()
  })
  assert.equal(response.statusCode, 200)
  assert.equal(response.headers.connection, 'close')
  assert.equal(JSON.parse(await text(response)).result.resource.params.a, 'é💡')
  assert.equal(await tasker.countTasks({}), 1)
})

test('an array is an array in YAML too', async t => {
  const { post } = await listening(t)
  const calls = '- method: awf.task/list\n- method: awf.task/nothing\n'
  const response = await post(calls, { 'content-type': YAML, accept: YAML })
  assert.equal(response.status, 200)
  const answer = await response.text()
  const message = /message: (".*")\n/.exec(answer)[1]
  const expected = '- result:\n    resources: []\n- error:\n    code: unknown-method\n'
  assert.equal(answer, `${expected}    message: ${message}\n`)
})
