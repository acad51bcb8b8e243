/*
 * The page in examples/dashboard in Chromium without a window, on two virtd on loopback with a QEMU guest that counts:
 *
 *     make check-dashboard             all of it; the total is the last line, and build/dashboard.png the page during the migration
 *
 * Chromium is driven by its DevTools protocol over a WebSocket of Node's own (node --experimental-websocket), so nothing has to be fetched.
 * The tests are steps of one story, in this order; what fails ends it, and those that come after have failed too.
 */
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, readFileSync, rmSync, appendFileSync, existsSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const build = resolve(process.env.BUILD ?? 'build'), slow = Number(process.env.VIRT_TEST_SLOW ?? 1);
const work = mkdtempSync(join(tmpdir(), 'vtdash-'));
const started = [];                              /* nothing else is ever ended here */
const guest = '3f0a2b44-6c53-4d0f-8a35-1f5b1ee1a0c1';

/* ---------- small things ---------- */

const sleep = ms => new Promise(wake => setTimeout(wake, ms));
function check(condition, what)
{
    if (!condition)
        throw new Error(what);
}
/* Until probe() gives something, which is returned. */
async function until(what, probe, seconds = 20)
{
    const end = Date.now() + seconds * 1000 * slow;
    for (;;) {
        const found = await probe();
        if (found)
            return found;
        if (Date.now() > end)
            throw new Error(`not within ${seconds * slow} s: ${what}`);
        await sleep(50);
    }
}
const freePort = () => new Promise(found => {
    const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => found(port));
    });
});
function start(command, args, options = {})
{
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
    child.said = '';
    child.stderr.on('data', data => { child.said = (child.said + data).slice(-20000); });
    child.on('exit', code => { child.over = true; child.code = code; });
    child.on('error', error => { child.over = true; child.said += error; });
    started.push(child);
    return child;
}
async function end(child)
{
    child.kill('SIGTERM');
    await until('a process ends', () => child.over).catch(() => child.kill('SIGKILL'));
    started.splice(started.indexOf(child), 1);
}
/* All that a server on loopback says to these bytes. */
const ask = (port, bytes) => new Promise((answered, failed) => {
    let said = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', data => { said += data; });
    socket.on('error', failed);
    socket.on('close', () => answered(said));
    socket.on('end', () => socket.end());
});

/* ---------- two hosts ---------- */

const environment = { ...process.env, LC_ALL: 'C.UTF-8', XDG_CONFIG_HOME: join(work, 'config'), XDG_RUNTIME_DIR: join(work, 'run') };
for (const name of ['LIBVIRT_DEFAULT_URI', 'VIRSH_DEFAULT_CONNECT_URI', 'NOTIFY_SOCKET', 'JOURNAL_STREAM'])
    delete environment[name];
const run = (program, ...args) => execFileSync(join(build, 'examples', program), args, { env: environment, encoding: 'utf8' }).trim();

class Host {
    constructor(name) { Object.assign(this, { name, root: join(work, name), socket: join(work, name + '.sock'), authorized: join(work, name + '.authorized') }); }

    /* The servers are clients of each other, with the user's key, and know each other. */
    async make() {
        mkdirSync(this.root, { recursive: true });
        this.port = await freePort();
        this.pagePort = await freePort();
        this.keyFile = join(work, this.name + '.key');
        this.key = run('virtd', '--genkey', '--key', this.keyFile);
        appendFileSync(join(work, 'config/virt/known_hosts'), `127.0.0.1:${this.port} ${this.key}\n`);
        writeFileSync(this.authorized, `${ownKey} server\n`, { mode: 0o600 });
    }
    async start() {
        this.virtd = start(join(build, 'examples/virtd'), ['--connect', `qemu:///embed?root=${this.root}`, '--listen', `unix:${this.socket}`,
            '--listen', `ws:127.0.0.1:${this.port}`, '--key', this.keyFile, '--authorized-keys', this.authorized, '--workers', '6',
            '--dashboard', `:${this.pagePort}`, '--dashboard-page', 'examples/dashboard/index.html', '--pid-file', join(work, this.name + '.pid')], { env: environment });
        await until(`virtd ${this.name} serves: ${this.virtd.said}`, () => /serves with/.test(this.virtd.said) || (this.virtd.over && check(false, this.virtd.said)));
    }
    virtsh(...args) { return run('virtsh', '-q', '-c', `qemu+unix:///embed?socket=${this.socket}`, ...args); }
}
let ownKey, hostA, hostB, browser, page;

/* ---------- Chromium ---------- */

class Page {
    constructor(socket) {
        Object.assign(this, { socket, next: 1, waiting: new Map(), troubles: [] });
        socket.onmessage = event => {
            const message = JSON.parse(event.data), call = this.waiting.get(message.id);
            if (message.method === 'Runtime.exceptionThrown')
                this.troubles.push(message.params.exceptionDetails.exception?.description ?? message.params.exceptionDetails.text);
            else if (message.method === 'Log.entryAdded' && message.params.entry.source === 'security')
                this.troubles.push(message.params.entry.text);
            this.waiting.delete(message.id);
            if (message.error)
                call?.failed(new Error(message.error.message));
            else
                call?.answered(message.result);
        };
    }
    call(method, params = {}) {
        const id = this.next++;
        return new Promise((answered, failed) => {
            this.waiting.set(id, { answered, failed });
            this.socket.send(JSON.stringify({ id, method, params }));
        });
    }
    async value(expression) {
        const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
        if (exceptionDetails)
            throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
    }
    text(selector) { return this.value(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`); }
    see(selector, text, seconds) {
        return until(`'${text}' in ${selector}`, async () => (await this.text(selector)).includes(text), seconds).catch(async error => {
            throw new Error(`${error.message}; it says: '${await this.text(selector)}'; the page: '${await this.text('#notes')}' ${this.troubles}`);
        });
    }
    /* As a mouse does it. */
    async click(selector) {
        const at = await until(`${selector} to click on`, () => this.value(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); if (!e) return null;
            e.scrollIntoView({ block: 'nearest' }); const r = e.getBoundingClientRect(); return r.width ? { x: r.x + r.width / 2, y: r.y + r.height / 2 } : null })()`));
        for (const type of ['mousePressed', 'mouseReleased'])
            await this.call('Input.dispatchMouseEvent', { type, ...at, button: 'left', clickCount: 1 });
    }
    fill(selector, text) {
        return this.value(`(() => { const e = document.querySelector(${JSON.stringify(selector)}); e.value = ${JSON.stringify(text)};
            e.dispatchEvent(new Event('input')) })()`);
    }
    async picture(file) { writeFileSync(file, Buffer.from((await this.call('Page.captureScreenshot', { format: 'png' })).data, 'base64')); }
    async addHost(host, key = host.key) {
        await this.click('#add');
        await until('the form', () => this.value(`document.getElementById('adding').open`));
        await this.fill('#adding [name=address]', `ws://127.0.0.1:${host.port}`);
        await this.fill('#adding [name=key]', key);
        await this.fill('#adding [name=uri]', 'qemu:///embed');
        await this.click('#adding button[value=add]');
    }
}
const section = host => `section[data-host="ws://127.0.0.1:${host.port}"]`;
const row = host => `${section(host)} tr[data-guest="pair"]`;
const button = (host, name) => `${row(host)} [data-action=${name}]`;

async function openBrowser()
{
    browser = start('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', `--user-data-dir=${join(work, 'browser')}`, '--remote-debugging-port=0',
        '--window-size=1100,900', 'about:blank']);
    const port = (await until('Chromium listens', () => browser.said.match(/DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/)
        || (browser.over && check(false, browser.said)), 60))[1];
    const target = await until('a page', async () => (await (await fetch(`http://127.0.0.1:${port}/json`)).json()).find(each => each.type === 'page'));
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await new Promise((opened, failed) => { socket.onopen = opened; socket.onerror = failed; });
    page = new Page(socket);
    for (const domain of ['Page', 'Runtime', 'Log'])
        await page.call(domain + '.enable');
}

/* By the button; window.story becomes every state that the drawing goes through, from the beginning of this migration on. */
async function migrate(bandwidth)
{
    await page.value(`window.story = []; window.observer ??= new MutationObserver(() => {
        for (const e of document.querySelectorAll('[data-phase]')) {
            const said = e.dataset.phase + ' ' + e.dataset.kind;
            if (e.dataset.kind && !story.includes(said) && (story.length || said === 'begin now')) story.push(said);
        } }); observer.disconnect();
        document.getElementById('notes').textContent = '';
        observer.observe(document.getElementById('migrations'), { childList: true, subtree: true }); 0`);
    await page.click(button(hostA, 'migrate'));
    await until('the form', () => page.value(`document.getElementById('moving').open`));
    check(await page.value(`document.querySelector('#moving [name=uri]').value`) === `qemu+ws://127.0.0.1:${hostB.port}/embed`, 'another URI is proposed');
    await page.fill('#moving [name=bandwidth]', String(bandwidth));
    await page.fill('#moving [name=memory]', 'tcp://127.0.0.1');
    await page.click('#moving button[value=move]');
}

/* ---------- the story ---------- */

const steps = {
    async 'virtd serves the page, and nothing else'() {
        const request = (line, more = '') => ask(hostA.pagePort, `${line}\r\nHost: localhost\r\n${more}\r\n`);
        const file = readFileSync('examples/dashboard/index.html', 'utf8');
        const good = await request('GET / HTTP/1.1');
        check(good.startsWith('HTTP/1.1 200 OK\r\n') && good.endsWith(file.slice(-2000)), 'it is not the page: ' + good.slice(0, 500));
        check(Number(/Content-Length: (\d+)/.exec(good)[1]) === Buffer.byteLength(file), 'its length');
        for (const header of ["Content-Security-Policy: default-src 'none'; script-src 'sha256-", 'Cache-Control: no-store',
            'X-Content-Type-Options: nosniff', 'X-Frame-Options: DENY'])
            check(good.includes(header), 'without ' + header);
        check(!good.includes('unsafe'), 'the policy has holes');
        check((await request('GET /../../etc/passwd HTTP/1.1')).startsWith('HTTP/1.1 404 '), 'another file');
        check((await request('GET /index.html HTTP/1.1')).startsWith('HTTP/1.1 404 '), 'another name');
        check((await request('POST / HTTP/1.1')).startsWith('HTTP/1.1 405 '), 'another method');
        check((await request('GET / HTTP/1.1', `X: ${'x'.repeat(10000)}\r\n`)).startsWith('HTTP/1.1 431 '), 'a long request');
        check((await request('HEAD / HTTP/1.1')).split('\r\n\r\n')[1] === '', 'a refusal has words');
        check((await ask(hostA.pagePort, 'GET / HTTP/1.1\r\n\0\r\n\r\n')).startsWith('HTTP/1.1 400 '), 'a NUL');
    },
    async 'a browser shows it, and it has a key that stays'() {
        await openBrowser();
        await page.call('Page.navigate', { url: `http://127.0.0.1:${hostA.pagePort}/` });
        await page.click('#add');
        const key = await until('a key', () => page.text('#mine'), 30);
        check(/^[A-Za-z0-9+/]{43}=$/.test(key), 'no key: ' + key);
        await page.click('#adding .cancel');
        await page.call('Page.reload');
        await until('the page again', () => page.value(`document.readyState === 'complete' && document.getElementById('mine')?.textContent === ''`));
        await page.click('#add');
        check(await until('a key', () => page.text('#mine')) === key, 'it has another key after a reload');
        await page.click('#adding .cancel');
        page.key = key;
    },
    async 'a key that is not authorized is refused, and let in when it is'() {
        await page.addHost(hostA);
        await page.see(section(hostA), 'key is not authorized there');
        appendFileSync(hostA.authorized, `${page.key} browser\n`);
        await page.see(row(hostA), 'shut off');
    },
    async 'a server with another key is refused'() {
        appendFileSync(hostB.authorized, `${page.key} browser\n`);
        await page.addHost(hostB, hostA.key);
        await page.see(section(hostB), 'key is another one');
        await page.click(`${section(hostB)} h2 button`);
        await until('it is forgotten', async () => !await page.value(`!!document.querySelector(${JSON.stringify(section(hostB))})`));
        await page.addHost(hostB);
        await page.see(section(hostB), 'QEMU');
    },
    async 'a guest starts, pauses and goes on'() {
        await page.click(button(hostA, 'start'));
        await page.see(row(hostA), 'running');
        check(hostA.virtsh('domstate', 'pair') === 'running', 'virtsh sees it otherwise');
        await page.click(button(hostA, 'pause'));
        await page.see(row(hostA), 'paused');
        check(hostA.virtsh('domstate', 'pair') === 'paused', 'virtsh sees it otherwise');
        await page.click(button(hostA, 'resume'));
        await page.see(row(hostA), 'running');
    },
    async 'what another client does is seen at once'() {
        await page.value('window.mark = 1');
        hostA.virtsh('suspend', 'pair');
        await page.see(row(hostA), 'paused');
        hostA.virtsh('resume', 'pair');
        await page.see(row(hostA), 'running');
        /* A name is a name, whatever it looks like. */
        const odd = '<img src=x onerror="document.body.remove()">&amp;';
        writeFileSync(join(work, 'odd.xml'), `<domain type='qemu'><name>${odd.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</name>
            <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os></domain>`);
        hostA.virtsh('define', join(work, 'odd.xml'));
        await page.see(section(hostA), odd);
        check(await page.value(`document.querySelectorAll('img').length`) === 0, 'it became a part of the page');
        hostA.virtsh('undefine', odd);
        await until('it is gone', async () => !(await page.text(section(hostA))).includes('<img'));
        check(await page.value('window.mark') === 1, 'it has loaded anew');
    },
    async 'a migration that is stopped is drawn on its way back'() {
        const newest = () => Number(readFileSync(join(work, 'serial'), 'utf8').trim().split('\n').at(-1));
        await until('the guest has filled its memory', () => existsSync(join(work, 'serial')) && newest() > 200, 60);
        await migrate(2);
        await page.see('[data-outcome]', 'perform', 60);
        await page.click(button(hostA, 'abort'));
        await page.see('[data-outcome]', 'rolled back', 60);
        const story = String(await page.value('story'));
        check(story === String(['begin', 'prepare', 'perform', 'halt', 'cancel', 'rollback'].flatMap(name =>
            [name + ' now', name + (name === 'perform' ? ' failed' : ' done')])), 'the phases: ' + story);
        await page.picture(join(build, 'dashboard-back.png'));
        await page.see(row(hostA), 'running');
        await page.see(section(hostB), 'no guests');
        await page.see('#notes', 'abort');
    },
    async 'a migration is drawn as it steps'() {
        await migrate(8);
        await until('the curve', async () => (await page.value(`document.querySelector('.memory')?.points.numberOfItems ?? 0`)) >= 12
            || (await page.text('#notes') !== '' && check(false, await page.text('#notes'))), 60);
        check(await page.value(`document.querySelector('[data-phase=perform]').dataset.kind`) === 'now', 'it is not performing');
        await page.picture(join(build, 'dashboard.png'));
        await page.see('[data-outcome]', 'migrated', 90);
        const story = String(await page.value('story'));
        check(story === String(['begin', 'prepare', 'perform', 'finish', 'confirm'].flatMap(name => [name + ' now', name + ' done'])), 'the phases: ' + story);
        await page.see(`section[data-migration=pair]`, 'downtime', 10);
        await page.see(row(hostB), 'running');
        await until('it is gone from the source', async () => !(await page.value(`!!document.querySelector(${JSON.stringify(row(hostA))})`)));
        check(hostB.virtsh('domstate', 'pair') === 'running', 'virtsh does not see it there');
        await page.picture(join(build, 'dashboard-after.png'));
        const overlaps = await page.value(`(() => {
            const all = [...document.querySelectorAll('svg text, section h2, header > *')].filter(e => e.textContent)
                .map(e => [e.textContent, e.getBoundingClientRect()]);
            const boxes = [...document.querySelectorAll('svg rect.phase')].map(e => [e.dataset.phase, e.getBoundingClientRect()]);
            const meet = ([, a], [, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 5 && b.top < a.bottom - 5;
            const found = [];
            all.forEach((a, i) => all.slice(i + 1).forEach(b => { if (meet(a, b)) found.push(a[0] + ' | ' + b[0]); }));
            for (const lane of all.filter(([text]) => text.includes('127.0.0.1:')))
                boxes.forEach(box => { if (meet(lane, box)) found.push(lane[0] + ' | ' + box[0]); });
            return found.join(', ') })()`);
        check(overlaps === '', 'things overlap: ' + overlaps);
        await page.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
        await page.picture(join(build, 'dashboard-dark.png'));
        const numbers = readFileSync(join(work, 'serial'), 'utf8').trim().split('\n').map(line => parseInt(line));
        check(numbers.slice(1).every((n, i) => n === numbers[i] + 1), 'the guest has lost a number');
    },
    async 'a server that was restarted is found again'() {
        await end(hostB.virtd);
        check(hostB.virtd.code === 0, `virtd ended with ${hostB.virtd.code}: ${hostB.virtd.said}`);
        await page.see(section(hostB), 'does not answer');
        await hostB.start();
        await page.see(row(hostB), 'running');
        await page.click(button(hostB, 'pause'));
        await page.see(row(hostB), 'paused');
        check(await page.value('window.mark') === 1, 'it has loaded anew');
        await page.click(button(hostB, 'destroy'));
        await page.see(row(hostB), 'shut off');
    },
    async 'nothing went wrong in the page, and nothing was kept from it'() {
        check(page.troubles.length === 0, page.troubles.join('\n'));
    },
};

let passed = 0, failed = 0;
try {
    for (const folder of ['config/virt', 'run'])
        mkdirSync(join(work, folder), { recursive: true, mode: 0o700 });
    ownKey = run('virtsh', '-q', 'keygen', join(work, 'config/virt/key'));
    hostA = new Host('a');
    hostB = new Host('b');
    await hostA.make();
    await hostB.make();
    execFileSync('tests/guest/mkguest', ['--count-hz', '100', '--dirty-mib', '1', '--dirty-hz', '0', '--fill-mib', '40',
        join(build, 'guest/counter.img'), join(work, 'pair.img')]);
    await hostA.start();
    await hostB.start();
    writeFileSync(join(work, 'pair.xml'), `<domain type='qemu'><name>pair</name><uuid>${guest}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
        <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${work}/pair.img'/><target dev='vda' bus='virtio'/><readonly/></disk>
        <serial type='file'><source path='${work}/serial' append='on'/></serial></devices></domain>`);
    hostA.virtsh('define', join(work, 'pair.xml'));
    for (const [name, step] of Object.entries(steps)) {
        const from = Date.now();
        try {
            check(failed === 0, 'not tried, since the step before it failed');
            await step();
            passed++;
            if (process.env.V)
                console.log(`ok    ${name} (${Date.now() - from} ms)`);
        } catch (error) {
            failed++;
            console.log(`FAIL  ${name}\n    ${error.stack}`);
            if (failed === 1 && page)
                await page.picture(join(build, 'dashboard-failed.png')).catch(() => {});
        }
    }
} catch (error) {
    failed++;
    console.log(`FAIL  what the tests need\n    ${error.stack}\n    ${error.stderr ?? ''}`);
} finally {
    if (failed)
        for (const host of [hostA, hostB])
            console.log(`virtd ${host?.name}: ${host?.virtd?.said}`);
    /* A guest outlives its virtd: it goes first. */
    for (const host of [hostA, hostB]) {
        try {
            const at = host?.virtd?.over ? `qemu:///embed?root=${host.root}` : `qemu+unix:///embed?socket=${host?.socket}`;
            if (host?.virtd && run('virtsh', '-q', '-c', at, 'list', '--name').includes('pair'))
                run('virtsh', '-q', '-c', at, 'destroy', 'pair');
        } catch { /* it is gone */ }
    }
    for (const child of [...started])
        await end(child);
    rmSync(work, { recursive: true, force: true, maxRetries: 10 });
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed ? 1 : 0);
