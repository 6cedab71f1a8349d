/*
 * The registry's API, with the login that it asks for: a password (Basic), or a
 * token (Bearer) that is got with one, or with none for what is everybody's.
 *
 *     for await (const { items } of pages('/v2/_catalog', 'repositories', 9)) …
 *     const { body, digest, type } = await get('/v2/a/manifests/v1', MANIFESTS);
 *
 * A refusal is a Refusal, whose message is the registry's own sentence.  The
 * password is kept in memory only, until the page is left.
 */

export const MANIFESTS = [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export class Refusal extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

let password = null;             /* an Authorization header */
let bearer = false;              /* the registry wants tokens */
const tokens = new Map();        /* by what they are for */


export function login(user, secret) {
    const bytes = new TextEncoder().encode(`${user}:${secret}`);

    password = 'Basic ' + btoa(String.fromCharCode(...bytes));
    tokens.clear();
}

export function logout() {
    password = null;
    tokens.clear();
}

export function isLoggedIn() {
    return password !== null;
}


/* The browser must not ask for a password itself: hence no credentials of its
 * own. */
async function send(url, accept, authorization) {
    const headers = { Accept: accept };

    if (authorization) {
        headers.Authorization = authorization;
    }

    try {
        return await fetch(url, { headers, credentials: 'omit' });
    } catch {
        throw new Refusal(0, 'the registry does not answer');
    }
}

async function refusal(reply) {
    let error = null;

    try {
        error = (await reply.json()).errors[0];
    } catch {
        /* not the registry's: a proxy's */
    }

    return new Refusal(reply.status,
                       error?.message ?? `${reply.status} ${reply.statusText}`);
}


/* ---- tokens -------------------------------------------------------------- */

function challenge(reply) {
    const header = reply.headers.get('WWW-Authenticate') ?? '';
    const says = Object.fromEntries(
        [...header.matchAll(/(\w+)="([^"]*)"/g)].map(m => [m[1], m[2]]));

    return { ...says, bearer: /^bearer /i.test(header) };
}

async function token(says) {
    const url = new URL(says.realm, location.href);

    if (url.origin !== location.origin) {
        throw new Refusal(401, `The login of this registry is at ${url.host},`
                          + ' which this page cannot ask.');
    }

    for (const name of ['service', 'scope']) {
        if (says[name]) {
            url.searchParams.set(name, says[name]);
        }
    }

    const reply = await send(url, 'application/json', password);

    if (!reply.ok) {
        throw await refusal(reply);
    }

    const body = await reply.json();

    return {
        header: `Bearer ${body.token ?? body.access_token}`,
        until: Date.now() + ((body.expires_in ?? 60) - 10) * 1000,
    };
}

/* What a token is for is the same for all paths of a repository. */
function subject(path) {
    return path.replace(/\/(manifests|blobs|tags|referrers)\/.*$/, '')
        .replace(/\?.*$/, '');
}

async function ask(path, accept) {
    const about = subject(path);
    const held = tokens.get(about);
    let reply = await send(path, accept, held?.until > Date.now()
                           ? held.header : bearer ? null : password);

    if (reply.status === 401) {
        const says = challenge(reply);

        bearer = says.bearer;

        if (bearer) {
            tokens.set(about, await token(says));
            reply = await send(path, accept, tokens.get(about).header);
        }
    }

    if (!reply.ok) {
        const error = await refusal(reply);

        /* a login that was right: another would not help */
        if (error.status === 401 && bearer && password !== null) {
            error.status = 403;
        }

        throw error;
    }

    return reply;
}


/* ---- what is read -------------------------------------------------------- */

export async function get(path, accept = 'application/json') {
    const reply = await ask(path, accept);

    return {
        body: await reply.json(),
        digest: reply.headers.get('Docker-Content-Digest'),
        type: reply.headers.get('Content-Type'),
    };
}

/* A list, page by page: yields { items, more }. */
export async function* pages(path, key, n) {
    let next = `${path}?n=${n}`;

    while (next) {
        const reply = await ask(next, 'application/json');
        const link = /<([^>]*)>/.exec(reply.headers.get('Link') ?? '');

        next = link && new URL(link[1], new URL(next, location.href));
        next = next && next.pathname + next.search;

        yield { items: (await reply.json())[key] ?? [], more: next !== null };
    }
}
