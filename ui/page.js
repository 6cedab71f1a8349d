/*
 * The page: a list of repositories, the tags of one, and what an image is made
 * of.  It reads the API that docker reads, and changes nothing.
 *
 * The part of the address after the # says what is shown: nothing, a NAME, or
 * NAME:TAG or NAME@DIGEST.  Whatever comes from the registry is put into the
 * page as text.
 */

import * as api from './api.js';

const REPOSITORIES = 1000;       /* of a page of the list */
const TAGS = 50;
const AT_ONCE = 6;               /* requests for the rows of a table */

const main = document.getElementById('main');
const find = document.forms.find.elements.name;
const ask = document.getElementById('ask');

let turn = 0;                    /* counts what was asked to be shown */


/* ---- making elements ----------------------------------------------------- */

function el(name, properties, ...children) {
    const e = Object.assign(document.createElement(name), properties);

    e.append(...children.filter(child => child !== null));

    return e;
}

function link(target, text, properties) {
    return el('a', { href: '#' + target, ...properties }, text);
}

function table(titles, className) {
    const body = el('tbody');
    const head = el('tr', {}, ...titles.map(title => el('th', { scope: 'col' },
                                                        title)));

    return { body, whole: el('table', { className },
                             el('thead', {}, head), body) };
}

/* Titles that sort the rows by their column; firstDown are those whose largest
 * comes first. */
function sortable({ body, whole }, firstDown) {
    const order = new Intl.Collator('en', { numeric: true });

    whole.querySelectorAll('thead th').forEach((th, i) => {
        const button = el('button', { type: 'button' }, th.textContent);
        const value = row => row.cells[i].dataset.value
            ?? row.cells[i].textContent;
        let sign = firstDown.includes(i) ? 1 : -1;

        button.addEventListener('click', () => {
            sign = -sign;
            body.append(...[...body.rows].sort(
                (a, b) => sign * order.compare(value(a), value(b))));

            for (const other of th.parentNode.cells) {
                other.ariaSort = null;
            }

            th.ariaSort = sign > 0 ? 'ascending' : 'descending';
        });
        th.replaceChildren(button);
    });
}

function facts(pairs) {
    const list = el('dl');

    for (const [name, value] of pairs) {
        if (value !== null && value !== undefined && value !== '') {
            list.append(el('dt', {}, name), el('dd', {}, value));
        }
    }

    return list;
}

/* A line to be copied; the browser has a clipboard for secure pages only. */
function command(text) {
    const copy = !navigator.clipboard ? null
        : el('button', { type: 'button', className: 'quiet' }, 'Copy');

    copy?.addEventListener('click', async () => {
        await navigator.clipboard.writeText(text);
        copy.textContent = 'Copied';
        setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
    });

    return el('p', { className: 'command' }, el('code', {}, text), copy);
}

function size(bytes) {
    let i = 0;

    for ( ; bytes >= 1000 && i < 4; i++) {
        bytes /= 1000;
    }

    return (i > 0 && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes))
        + ' ' + ['B', 'kB', 'MB', 'GB', 'TB'][i];
}

function when(text) {
    const date = new Date(text ?? NaN);

    if (isNaN(date) || date.getTime() <= 0) {
        return null;             /* a reproducible build says 1970 */
    }

    return el('time', { dateTime: text, title: date.toLocaleString() },
              date.toISOString().slice(0, 16).replace('T', ' '));
}

function cut(digest) {
    return digest.replace(/^(\w+:.{12}).*/, '$1');
}

function short(digest) {
    return el('code', { title: digest }, cut(digest));
}

function counted(n, what) {
    return `${n} ${n === 1 ? what : what.replace(/y$/, 'ie') + 's'}`;
}


/* ---- images -------------------------------------------------------------- */

function platform(p) {
    return [p?.os, p?.architecture, p?.variant].filter(Boolean).join('/');
}

function isImage(descriptor) {
    return descriptor.platform && descriptor.platform.os !== 'unknown';
}

function layersSize(manifest) {
    return (manifest.layers ?? []).reduce((sum, l) => sum + l.size, 0);
}

async function manifest(name, reference) {
    return api.get(`/v2/${name}/manifests/${reference}`, api.MANIFESTS);
}

/* What docker can run; else it is an artifact: a chart, a signature, files. */
function isRunnable(body) {
    return body.manifests
        ? body.manifests.some(isImage)
        : /container\.image|oci\.image\.config/.test(body.config?.mediaType)
            && (body.layers ?? []).every(
                l => /image\.(layer|rootfs)/.test(l.mediaType));
}

/* Of an attestation that pretends to be an image, what its first layer is. */
function kind(body) {
    const type = body.config?.mediaType ?? '';

    return body.artifactType ?? (/image\.config/.test(type)
                                 ? body.layers?.[0]?.mediaType : type) ?? '';
}

/* {} for an artifact, whose config is no image's. */
async function config(name, body) {
    return body.config && isRunnable(body)
        ? (await api.get(`/v2/${name}/blobs/${body.config.digest}`,
                         body.config.mediaType)).body
        : {};
}

function created(body, about) {
    return when(about.created ?? body.annotations?.[
        'org.opencontainers.image.created']);
}

/* One line about a tag: of an index, what its image for this or the first
 * platform says. */
async function summary(name, tag) {
    const top = await manifest(name, tag);
    const images = (top.body.manifests ?? []).filter(isImage);
    let body = top.body;

    if (body.manifests) {
        const one = images.find(m => platform(m.platform) === 'linux/amd64')
            ?? images[0] ?? body.manifests[0];

        body = one ? (await manifest(name, one.digest)).body : {};
    }

    const about = await config(name, body);

    return {
        digest: top.digest,
        platforms: images.length > 0
            ? images.map(m => platform(m.platform)).join(', ')
            : platform(about) || (isRunnable(body) ? '' : kind(body)),
        size: layersSize(body),
        created: created(body, about),
    };
}


/* ---- what is shown ------------------------------------------------------- */

/* Shows a list a page at a time; row makes an element of an item, and may be
 * given a while to fill it. */
async function list(mine, pages, where, row, what) {
    const counts = el('span');
    const count = el('p', { className: 'count' },
                     el('span', { id: 'left' }), counts);
    const more = el('button', { type: 'button' }, 'More');
    const all = [];

    async function next() {
        const { value, done } = await pages.next();

        if (mine !== turn) {
            return false;
        }

        for (const item of value?.items ?? []) {
            const e = row(item);

            e.dataset.name = item;
            all.push(item);
            where.append(e);
        }

        more.hidden = done || !value.more;
        counts.textContent = counted(all.length, what)
            + (more.hidden ? '' : ' so far');
        filter();

        return true;
    }

    more.addEventListener('click', () => guarded(next));
    more.hidden = true;

    if (await next() && (all.length > 0 || !more.hidden)) {
        main.append(count, more);
        filter();
    }

    return all;
}

function filter() {
    const words = find.value.toLowerCase().split(/\s+/);
    const all = main.querySelectorAll('[data-name]');
    let left = 0;

    for (const e of all) {
        e.hidden = !words.every(w => e.dataset.name.toLowerCase().includes(w));
        left += !e.hidden;
    }

    main.querySelector('#left')?.replaceChildren(
        left === all.length ? '' : `${left || 'None'} of `);
}

async function showRepositories(mine) {
    const where = el('ul', { className: 'repositories' });

    main.replaceChildren(el('h1', {}, 'Repositories'), where);

    const all = await list(mine, api.pages('/v2/_catalog', 'repositories',
                                           REPOSITORIES),
        where, name => el('li', {}, link(name, name)), 'repository');

    if (mine === turn && all.length === 0) {
        where.replaceWith(el('p', {}, 'There is no image yet. The first one:'),
            command('docker pull alpine'),
            command(`docker tag alpine ${location.host}/hello`),
            command(`docker push ${location.host}/hello`));
    }
}

async function showTags(mine, name) {
    const rows = table(['Tag', 'Platforms', 'Size', 'Created, UTC', 'Digest'],
                       'tags');
    const waiting = [];
    let busy = 0;

    function row(tag) {
        const e = el('tr', {},
                     el('th', { scope: 'row' }, link(`${name}:${tag}`, tag)),
                     ...Array.from({ length: 4 }, () => el('td')));

        waiting.push([tag, e]);
        work();

        return e;
    }

    async function fill(tag, e) {
        const cells = e.querySelectorAll('td');

        try {
            const s = await summary(name, tag);

            cells[0].append(s.platforms);
            cells[1].append(size(s.size));
            cells[1].dataset.value = s.size;
            cells[2].append(s.created ?? '');
            cells[3].append(short(s.digest));

        } catch (error) {
            cells[0].append(error.message);
            cells[0].className = 'wrong';
        }
    }

    function work() {
        while (busy < AT_ONCE && waiting.length > 0 && mine === turn) {
            busy++;
            fill(...waiting.shift()).finally(() => { busy--; work(); });
        }
    }

    sortable(rows, [2, 3]);
    main.replaceChildren(el('h1', {}, name), rows.whole);
    const all = await list(mine, api.pages(`/v2/${name}/tags/list`, 'tags',
                                           TAGS), rows.body, row, 'tag');

    if (mine === turn && all.length === 0) {
        rows.whole.replaceWith(el('p', {}, 'No tags.'));
    }
}

function showLayers(body, about) {
    const runnable = isRunnable(body);
    const what = runnable ? 'layer' : 'file';
    const { body: rows, whole } = table(
        ['Digest', 'Size', runnable ? 'Made by' : 'What it is'], 'layers');
    const history = (about.history ?? []).filter(h => !h.empty_layer);

    (body.layers ?? []).forEach((layer, i) => {
        const title = layer.annotations?.['org.opencontainers.image.title'];
        const by = history[i]?.created_by ?? [title, layer.mediaType].filter(
            Boolean).join(', ');

        rows.append(el('tr', {}, el('td', {}, short(layer.digest)),
                       el('td', {}, size(layer.size)),
                       el('td', {}, el('code', {}, by.replace(
                           /^\/bin\/sh -c (#\(nop\) *)?/, '')))));
    });

    return rows.children.length > 0
        ? [el('h2', {}, counted(rows.children.length, what)), whole] : [];
}

function showParts(name, body) {
    const { body: rows, whole } = table(['Platform', 'Digest', 'Kind'],
                                        'parts');

    for (const m of body.manifests) {
        const of = body.manifests.find(other => other.digest
            === m.annotations?.['vnd.docker.reference.digest']);
        const kind = (m.annotations?.['vnd.docker.reference.type']
                ?? m.artifactType ?? (isImage(m) ? 'image' : m.mediaType))
            + (of ? ` for ${platform(of.platform)}` : '');

        rows.append(el('tr', {},
            el('th', { scope: 'row' },
               link(`${name}@${m.digest}`, isImage(m) ? platform(m.platform)
                                                      : 'no platform')),
            el('td', {}, short(m.digest)), el('td', {}, kind)));
    }

    return [el('h2', {}, 'For platforms'), whole];
}

/* Signatures and the like; a registry without them says 404. */
async function showReferrers(name, digest) {
    const { body: rows, whole } = table(['Attached', 'Size', 'Digest'],
                                        'parts');
    const { body } = await api.get(`/v2/${name}/referrers/${digest}`)
        .catch(() => ({ body: {} }));

    for (const m of body.manifests ?? []) {
        rows.append(el('tr', {},
            el('th', { scope: 'row' },
               link(`${name}@${m.digest}`, m.artifactType ?? m.mediaType)),
            el('td', {}, size(m.size)), el('td', {}, short(m.digest))));
    }

    return rows.children.length > 0
        ? [el('h2', {}, 'Attached to it'), whole] : [];
}

function lines(pairs) {
    const all = Object.entries(pairs ?? {}).map(([k, v]) => `${k}=${v}`);

    return all.length > 0 ? el('pre', {}, all.join('\n')) : null;
}

function showConfig(about) {
    const c = about.config ?? {};
    const words = list => list?.map(w => /^[\w@%+=:,.\/-]+$/.test(w)
                                    ? w : JSON.stringify(w)).join(' ');
    const list = facts([
        ['Entrypoint', words(c.Entrypoint)],
        ['Command', words(c.Cmd)],
        ['User', c.User],
        ['Directory', c.WorkingDir],
        ['Ports', Object.keys(c.ExposedPorts ?? {}).join(', ')],
        ['Volumes', Object.keys(c.Volumes ?? {}).join(', ')],
        ['Environment', c.Env?.length > 0
            ? el('pre', {}, c.Env.join('\n')) : null],
        ['Labels', lines(c.Labels)],
    ]);

    return list.children.length > 0
        ? [el('h2', {}, 'Configuration'), list] : [];
}

/* What gets it: helm writes the + of a version as _ in the tag. */
function pull(name, separator, reference, body) {
    const at = `${location.host}/${name}`;

    return isRunnable(body) ? `docker pull ${at}${separator}${reference}`
        : /cncf\.helm/.test(body.config?.mediaType) && separator === ':'
            ? `helm pull oci://${at} --version ${reference.replace('_', '+')}`
            : `oras pull ${at}${separator}${reference}`;
}

async function showImage(mine, name, separator, reference) {
    const top = await manifest(name, reference);
    const body = top.body;
    const about = await config(name, body);
    const referrers = await showReferrers(name, top.digest);

    if (mine !== turn) {
        return;
    }

    main.replaceChildren(
        el('h1', {}, link(name, name),
           el('span', {}, separator + cut(reference))),
        command(pull(name, separator, reference, body)),
        facts([
            ['Digest', el('code', {}, top.digest)],
            ['Type', top.type],
            ['Kind', body.manifests || isRunnable(body) ? null : kind(body)],
            ['Platform', platform(about)],
            ['Created, UTC', created(body, about)],
            ['Size', body.layers ? size(layersSize(body)) : null],
            ['Belongs to', body.subject
                && link(`${name}@${body.subject.digest}`,
                        body.subject.digest)],
            ['Annotations', lines(body.annotations)],
        ]),
        ...(body.manifests ? showParts(name, body) : []),
        ...referrers,
        ...showConfig(about),
        ...showLayers(body, about));
}


/* ---- login, errors, the address ------------------------------------------ */

function askLogin(why) {
    ask.querySelector('#ask-why').textContent = why;
    ask.returnValue = '';
    ask.showModal();
}

ask.addEventListener('close', () => {
    const { user, password } = ask.querySelector('form').elements;

    if (ask.returnValue === 'login') {
        api.login(user.value, password.value);
        show();
    }

    password.value = '';
});

document.getElementById('login').addEventListener('click', () => {
    if (api.isLoggedIn()) {
        api.logout();
        show();
    } else {
        askLogin('');
    }
});

function complain(error) {
    main.querySelector('table:has(tbody:empty)')?.remove();

    if (error.status !== 401) {
        main.append(el('p', { className: 'wrong', role: 'alert' },
                       error.message));
        return;
    }

    main.append(el('p', {}, 'Log in to see what is here.'));
    document.getElementById('login').hidden = false;
    askLogin(api.isLoggedIn() ? error.message : '');
    api.logout();
}

async function guarded(work) {
    try {
        await work();
    } catch (error) {
        complain(error);
    }
}

async function show() {
    const mine = ++turn;
    const at = decodeURIComponent(location.hash.slice(1));
    const [, name, separator, reference] = /^([^:@]*)([:@]?)(.*)$/.exec(at);
    const button = document.getElementById('login');

    find.value = '';
    find.disabled = separator !== '';
    main.replaceChildren();
    document.title = (at ? at + ' · ' : '') + location.host;
    document.getElementById('home').textContent = location.host;

    try {
        if (reference) {
            await showImage(mine, name, separator, reference);
        } else if (name) {
            await showTags(mine, name);
        } else {
            await showRepositories(mine);
        }
    } catch (error) {
        if (mine === turn) {
            complain(error);
        }
    }

    if (api.isLoggedIn()) {
        button.hidden = false;
    }

    button.textContent = api.isLoggedIn() ? 'Log out' : 'Log in';
}

find.addEventListener('input', filter);

/* a name that is not in the list, for who may not see the list */
document.forms.find.addEventListener('submit', event => {
    event.preventDefault();

    if (location.hash.length < 2 && find.value !== '') {
        location.hash = find.value.trim();
    }
});

addEventListener('hashchange', show);
show();
