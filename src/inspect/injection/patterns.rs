//! What code in a value looks like, as regular expressions: constructions that no value has by chance.
//!
//! Each has examples in the tests, and so has what people, programs and query languages of APIs (OData, RSQL, JQL, Lucene, PromQL)
//! write that comes near: a word of a language alone is no sign, a construction that a filter has is none either.

use super::Injection::{self, Command, Entity, Expression, ForgedLine, Path, Query, Script};
use regex::bytes::{Regex, RegexBuilder};
use std::sync::LazyLock;

/// What a kind looks like: a value has one of the first bytes at least (none are given where the search is fast by itself), then what
/// stands first, then what of follows it. Case is ignored, and values are freed of their escapes.
type Patterns = &'static [(Injection, &'static str, &'static str, &'static [&'static str])];

const NUMBERS_AND_QUOTES: &str = "0123456789'\"`)%";

/// What counts wherever it stands, in a letter or a page of a body, too.
const IN_TEXTS: Patterns = &[
    (
        Expression,
        "{:",
        "",
        &[
            r"\$\{\s*jndi\s*:",
            r"\bjndi\s*:\s*(?:ldaps?|rmi|dns|iiop|corba|nds)\b",
            // ${${lower:j}ndi:…, ${${::-j}ndi:…
            r"\$\{\$\{",
            r"\$\{(?:\s*(?:lower|upper|env|sys|date|java|ctx|base64)\s*:|[^}$]*::-)[^}]*\}.*:.*//",
        ],
    ),
    (
        Entity,
        "<",
        "",
        &[
            r"<!entity\s+%?\s*\S+\s+(?:system|public)\s",
            r"<!doctype[^>\[]*\[\s*<!entity",
            r"<xi:include\s[^>]*\bhref\s*=",
        ],
    ),
    // Shellshock
    (Command, "{", "", &[r"\(\)\s*\{\s*:?\s*;?\s*\}\s*;"]),
];

/// What counts in any value of one line.
const IN_VALUES: Patterns = &[
    // 1) AND 5362=9128, ' OR '1'='1: a number or a string closes, and something known is compared.
    (
        Query,
        NUMBERS_AND_QUOTES,
        r##"(?:['"`)%]|\b\d+)\s*\)*\s*(?:\b(?:or|and|xor|having|where)\b|\|\||&&)\s*\(*\s*(?:not\s+)?"##,
        &[
            r##"\d+\s*\)*(?:\s*(?:=|<>|!=)\s*|[<>])\(*(?:\d|\w*\s*\(|'|"|@@|select\b)"##,
            r##"\d+\s*(?:\b(?:like|rlike|regexp)\s*\(*['"\d]|\bin\s*\(\s*[('\d]|\bbetween\s+\d+\s+and\b)"##,
            r##"\d+\s*\bis\s+(?:not\s+)?null\b"##,
            r##"'[^']*'\s*\)*\s*(?:=|<>|\blike\b)\s*\(*'"##,
            r##"'[^'=]{0,20}=\s*'"##,
            r##""[^"]*"\s*\)*\s*(?:=|<>|\blike\b)\s*\(*""##,
            r##"(?:true|false|null|\d+)\s*(?:--|#|/\*)[\s\w+-]{0,8}$"##,
            r##"true\b\s*$"##,
        ],
    ),
    // ' and left(user(),1)='a: the first quote closes.
    (
        Query,
        "(",
        r##"^(?:[^'"]{0,40}['"]|-?\d+)\s*\)*\s*(?:\b(?:or|and|xor|having|rlike)\b|\|\||&&)\s*\(*\s*(?:not\s+)?"##,
        &[
            r"(?:ascii|ord|char|chr|length|len|substr|substring|mid|left|right|concat|elt|make_set|exp|cast|convert)\s*\(",
            r"(?:ifnull|isnull|nullif|coalesce|exists|iif|row|database|user|version|json\w*|starts_with|(?:un)?likely)\s*\(",
            r"(?:lo_get|sqlite_\w+|pg_\w+)\s*\(",
        ],
    ),
    // 1 or x=y--
    (
        Query,
        "-#*",
        r##"(?:['"`)]|\b\d)\s*\)*\s*\b(?:or|and|xor|having)\b"##,
        &[r##"[^'"=<>]{0,60}(?:=|<|>|\blike\b)[^;]{0,120}(?:--[\w+\s-]{0,8}|#|/\*)\s*$"##],
    ),
    // abc' = !!'0: an operator stands between a quote that closes and the last one.
    (
        Query,
        "'",
        r##"^[^'"]{0,40}'\s*\)*\s*"##,
        &[
            r##"(?:<>|!=|<=|>=|\|\|?|&&?|[=^*/])[^'"\w]{0,12}(?:\w{1,20}\W{1,3})?'[^'"]{0,20}$"##,
            r##"\b(?:or|and|xor|div|in|is|(?:not\s+)?(?:r?like|regexp)|sounds\s+like)\b[^'"\w]{0,12}(?:\w{1,20}\W{1,3})?'[^'"]{0,20}$"##,
        ],
    ),
    // x'>email--, ' and email not similar to id--: an operator behind the quote that closes, a comment to the end.
    (
        Query,
        "-#",
        r##"^[^'"\s]{0,40}['"]\s*\)*\s*"##,
        &[
            r##"(?:\|\|?|&&?|<>|!=|[<>=/*^%+-]|(?:or|and|xor|div|in|is|(?:r?like|regexp)|sounds)\b)[\w\s().,]{1,60}(?:--|#)[\w\s+-]{0,4}$"##,
        ],
    ),
    // ' delete from users
    (
        Query,
        "'\"",
        r##"^[^'"]{0,40}['"]\s*\)*\s*"##,
        &[r"(?:delete\s+from|drop\s+table)\s+[\w.]+\s*(?:$|--|;|#|where\b)", r"exec(?:ute)?\s+(?:xp_|sp_|master)"],
    ),
    // or '{"b":2}'::jsonb <@ '{"a":1}'
    (Query, ":", "", &[r"\b(?:or|and)\b[^;]{0,80}'\s*::\s*jsonb?\b"]),
    // admin'--
    (Query, "'\"", "", &[r##"^[^'"\s]*['"]\s*\)*\s*;?\s*(?:--[\s+]*(?:-|\w{0,8})\s*$|#\s*$|/\*)"##]),
    (Query, "-#", "", &[r"\border\s+by\s+\d+\s*(?:--|#)"]),
    // 1 UNION SELECT …, with comments to the end of a line between
    (
        Query,
        NUMBERS_AND_QUOTES,
        r##"(?:\d|['")])\s*(?:(?:--|#)[^\n]*\n\s*)*\bunion\b[\s(]*(?:all\s+|distinct\s+)?[\s(]*"##,
        &[r"\bselect\b"],
    ),
    (
        Query,
        "",
        r"\bunion\s+(?:all\s+|distinct\s+)?\(*\s*select\s+",
        &[r##"(?:null\b|[\d*'"]|@@|0x|\w+\s*\(|[\w.]+\s*,|[\w.]+\s+from\s+\w)"##],
    ),
    // A second statement.
    (
        Query,
        ";",
        r";\s*",
        &[
            r"drop\s+(?:table|database|schema|user|function)\b",
            r"delete\s+from\s+[\w.]+\s*(?:--|;|#|where\b)",
            r"insert\s+into\s+[\w.]+\s*(?:\(|values|select)",
            r"update\s+[\w.]+\s+set\s+\w+\s*=",
            r"(?:alter|truncate)\s+table\b",
            r"create\s+(?:table|user)\b",
            r"exec(?:ute)?[\s(]+(?:xp_|sp_|master|@)",
            r"declare\s+@",
            r"set\s+@\w+\s*=",
            r"waitfor\s+delay",
            r"select\s+(?:pg_sleep|sleep|benchmark|\(*\s*case\s+when|count\s*\(|\*\s*from|@@)",
            r"if\s*\(?\s*\d+\s*=\s*\d",
            r"iif\s*\(",
            r"call\s+\w+\s*\(",
            r"begin\s+\w+\.\w+\s*\(",
            r"load\s+(?:data|xml)\s+(?:local\s+)?infile",
            r"shutdown\s*--",
        ],
    ),
    // 1 AND SLEEP(5)
    (
        Query,
        "(",
        r##"(?:\b(?:select|and|or|if|when|then|rlike|from)\b|[;,('"|=+/])\s*\(*\s*"##,
        &[
            r"(?:pg_sleep|sleep|benchmark|randomblob)\s*\(\s*\(?\s*\d",
            r"(?:dbms|user)_lock\.sleep\s*\(",
            r"dbms_pipe\.receive_message\s*\(",
        ],
    ),
    // Functions, tables and variables of databases that nobody else names.
    (
        Query,
        "(_)'\"",
        r"\b",
        &[
            r"(?:extractvalue|updatexml|xp_dirtree|utl_http\.request|utl_inaddr\.get_host\w+|load_file|sys_exec|sys_eval)\s*\(",
            r"(?:regexp_substring|crypt_key|name_const|make_set|generate_series|group_concat|procedure\s+analyse)\s*\(",
            r"(?:unhex\s*\(\s*hex|floor\s*\(\s*rand)\s*\(",
            r"concat(?:_ws)?\s*\(\s*0x",
            r"(?:char|chr)\(\d+\)\s*(?:\|\||\+|,)\s*(?:char|chr)\(\d",
            r"xp_cmdshell\b",
            r"waitfor\s+delay\s*'",
            r##"into\s+(?:out|dump)file\b\s*['"(]"##,
            r"information_schema\b\W{1,3}\w",
            r"in\s+boolean\s+mode\)\s*\S",
        ],
    ),
    (
        Query,
        "",
        r"\bselect\b[^;]+\bfrom\s+",
        &[
            r"(?:pg_catalog|pg_shadow|sysobjects|sysusers|sysibm\b|sys\.|mysql\.|sqlite_master|dual\b)",
            r"(?:all_tables|all_users|rdb\$|domain\.|v\$)",
        ],
    ),
    (
        Query,
        "@",
        "",
        &[r"@@(?:version|hostname|datadir|basedir|servername)", r"@@(?:global|session)\.", r"\bselect\s+@@"],
    ),
    // A question within a value: =(select … from, (select … from x where
    (
        Query,
        "(=",
        "",
        &[
            r##"[=,+|<>/*-]\s*\(+\s*select\b\s*(?:[\w.,*@\s'"()|:]{1,160}\bfrom\b|\(*case\s+when\b|\d|top\s+\d)"##,
            r##"\(\s*select\b\s*[\w.,*@\s'"()|]{1,160}\bfrom\b[\s(`\[]*[\w.]+[\s)`\]]*(?:where|limit|(?:group|order)\s+by|union)\b"##,
            r##"\(\s*select\b\s*[\w.,*@\s'"()|]{1,160}\bfrom\b[\s(`\[]*[\w.]+[\s)`\]]*as\s+\w+\s*[,)]"##,
            r"\(\s*select\b\s*(?:\(*case\s+when\b|count\s*\()",
            r"\bwhere\s+\d+\s*=\s*\d+",
            r"\brlike\s*\(\s*select\b",
        ],
    ),
    // ; cat /etc/hostname
    (
        Command,
        ";|&$",
        r"(?:;|\||&|\$\()\s*",
        &[
            r"(?:whoami|ifconfig|ipconfig|hostname|uname|netstat|systeminfo|printenv)\s*(?:$|[;|&`)#])",
            r"cat\s+[/.~$]",
            r"ls\s+[-/]",
            r"dir\s+[a-z]:",
            r"uname\s+-",
            r"(?:wget|curl)\s+\S*(?:https?:|-)",
            r"(?:nc\s+-|ncat\s)",
            r"ping\s+-[cnw]\s*\d",
            r"nslookup\s+\S+\.",
            r##"sleep\s+\d+\s*(?:$|[;|&`)'"#])"##,
            r"timeout\s+/?t?\s*\d",
            r"powershell\b",
            r"cmd(?:\.exe)?\s+/c",
            r"/(?:usr/)?bin/\w",
            r"(?:(?:nohup|time|env|sudo)\s+)?(?:ba|k|z|c|da)?sh\s+-[ci]",
            r"cat\s*<<<",
            r"(?:telnet|dig|mshta|certutil|bitsadmin|regsvr32|rundll32)\s+\S*[./:-]",
            r"(?:find|cp|mv|head|tail|less|more)\s+/\w",
            r"rm\s+-rf",
            r"net\s+user\b",
            r"chmod\s+[+\d]",
            r"type\s+[a-z]:\\",
            r"(?:python|perl|ruby|php)\d?\s+-[ecr]\b",
        ],
    ),
    // 127.0.0.1;id. `fields=name|id` lists names: such short words count behind a number, a quote or nothing only.
    (
        Command,
        ";|&$`/",
        "",
        &[
            r##"(?:^|[\d\s'")])(?:;|\||&&|\|\|)\s*(?:id|ls|pwd|env|ps)\s*(?:$|[;|&`)#])"##,
            r"\$\(\s*(?:id|ls|pwd|env)\s*\)",
            r"^(?:/usr)?/bin/\w+\s*[;|&]",
            r"^\W*`\s*(?:id|ls|pwd|env|whoami|uname|hostname|cat\s+/|sleep\s+\d|ping\s+-|curl\s|wget\s)[^`]*`\W*$",
            r"/dev/(?:tcp|udp)/[\w.]+/\d",
            r"\$\{?ifs\b",
            r":\(\)\s*\{\s*:\s*\|\s*:",
        ],
    ),
    // What a server includes in a page, and a loop of cmd.exe.
    (
        Command,
        "<%",
        "",
        &[
            r"<!--\s*#\s*(?:exec|include|printenv|echo)\b",
            r"\bfor\s+(?:/[dlrf]\s+)?[^%]{0,40}%{1,2}\w\s+in\s*\([^)]{0,80}\)\s*do\b",
        ],
    ),
    // The same from within a program.
    (
        Command,
        "(",
        r##"\b(?:system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec)\s*\(\s*['"`][^'"`)]*"##,
        &["/bin/", r"\b(?:id|ls|cat|uname|whoami|wget|curl|ping|sleep|dir|nc|bash|sh|cmd)\b"],
    ),
    (
        Command,
        "",
        r"\b",
        &[
            r##"require\s*\(\s*['"]child_process"##,
            r"process\s*\.\s*(?:mainmodule|binding)\b",
            r##"__import__\s*\(\s*['"](?:os|subprocess)"##,
            r"os\s*\.\s*(?:system|popen)\s*\(",
            r"require\.main\.constructor\b",
        ],
    ),
    (
        Path,
        "",
        "",
        &[
            r"/etc/+(?:passwd|shadow|sudoers)\b",
            r"\b(?:boot|win)\.ini\b",
            r"\bweb-inf[/\\]",
            r"php://(?:filter|input)",
            r"\b(?:phar|expect)://",
        ],
    ),
    // {{7*7}}, ${7*7}
    (
        Expression,
        "{<",
        "",
        &[
            r##"\{\{\s*['"]?\d+['"]?\s*[*+]\s*['"]?\d+['"]?\s*\}\}"##,
            r"[$#*@%]\{\s*\d+\s*[*+]\s*\d+\s*\}",
            r"<%=?\s*\d+\s*\*\s*\d+",
            r"\{\{[^{}]*(?:__class__|\.constructor\b|\b(?:lipsum|cycler|joiner)\b)",
            r"\{\{[^{}]*\b(?:request\.(?:application|environ)|config\.(?:items|from)|self\._)",
            r"%\{\s*\(?#",
        ],
    ),
    (
        Expression,
        "",
        "",
        &[
            r"__(?:subclasses|globals|mro|builtins)__",
            r"getruntime\(\)\s*\.\s*exec",
            r"new\s+java\.lang\.processbuilder",
            r"t\(\s*java\.lang\.",
            r"class\.module\.classloader",
            r"#_memberaccess|com\.opensymphony\.xwork2",
            r"freemarker\.template\.utility|<#assign\b",
            r"[$#]\{\s*(?:application|request|session|page|faces)(?:scope|context)\b",
            r##"\|\s*attr\s*\(\s*['"]"##,
            r##"\|\s*(?:filter|map|sort|reduce)\s*\(\s*['"](?:system|exec|passthru|shell_exec)"##,
            r"@\{\s*\[",
            r"\$\{@\w+\(",
        ],
    ),
    // Objects that a program makes of a value: prototypes, gadgets of Java and .NET, objects of PHP, Python and Node.
    (
        Expression,
        "",
        "",
        &[
            r##"__proto__\s*(?:\[|\]|\.|["'])"##,
            r"\bconstructor\s*(?:\.|\[)\s*prototype\b",
            r"\$[\da-f]+:(?:__proto__|constructor)\b",
            r"_\$\$nd_func\$\$_",
            r"!!python/object/(?:apply|new):|!!javax\.script\.",
            r"system\.windows\.data\.objectdataprovider",
            r"com\.sun\.rowset\.",
            r"org\.apache\.commons\.collections\d?\.functors",
            r##"\bo:\d{1,3}:"[\w\\]+":\d{1,3}:\{"##,
        ],
    ),
    (
        Expression,
        "<(",
        "",
        &[
            r"<\?(?:php\b|=)[^>]{0,200}\b(?:system|exec|shell_exec|passthru|eval|assert|phpinfo|base64_decode|file_get_contents)\b",
            r"<\?(?:php\b|=)[^>]{0,200}\$_(?:get|post|request|server|cookie)\b",
            r"\b(?:eval|assert)\s*\(\s*(?:\$\w|base64_decode|string\.fromcharcode|atob|gzinflate|compile\s*\()",
        ],
    ),
    (
        Script,
        "<",
        "",
        &[
            r"<script[^>]*>[^<]*\b(?:alert|prompt|confirm|eval|fetch)\s*[(`]",
            r##"<\w[^<>]*[\s/]on\w+\s*=\s*['"]?[^<>]*\b(?:alert|prompt|confirm|eval|fetch)\s*[(`]"##,
        ],
    ),
    (
        Script,
        "",
        "",
        &[
            r"(?:javascript|vbscript|livescript)\s*(?::|&colon;)\S*\b(?:alert|prompt|confirm|eval|msgbox)\s*[(`]",
            r"document\s*\.\s*cookie",
            r"\bexpression\s*\(\s*(?:javascript:|alert|write|eval)",
        ],
    ),
];

/// What counts in heads only, where nobody writes texts, pages and the folders of machines.
const IN_HEADS: Patterns = &[
    (
        Command,
        "`\n",
        r"(?:^[^\s`]{0,40}`|\n)\s*",
        &[
            r"(?:id|ls|pwd|env|whoami|uname|hostname|ifconfig)\s*(?:$|[;|&`)#])",
            r"cat\s+[/.~$]",
            r"ls\s+[-/]",
            r"uname\s+-",
            r"(?:wget|curl)\s+\S*(?:https?:|-)",
            r"ping\s+-[cnw]\s*\d",
            r"sleep\s+\d",
            r"nc\s+-",
            r"/(?:usr/)?bin/\w",
            r"(?:ba)?sh\s+-[ci]",
        ],
    ),
    (Command, ":|<", "", &[r"^\W*dir\s+[a-z]:[/\\]", r"^\s*(?:\|\s*id\s*\|?|id\s*\|)\s*$"]),
    // Words that a shell puts together: {cat,/tmp/x}, c''at /tmp/x, /etc/pass*, /???/c?t
    (
        Command,
        "{'\"`$?*[",
        "",
        &[
            r"\{\s*(?:cat|nc|wget|curl|bash|sh|ping|python\d?|perl|ruby|php|uname|ls|rm|chmod)\s*,\s*[-/\w]",
            r##"\b\w{1,6}(?:''|""|``|\$@)\w{1,6}\s+(?:/|-\w|\d+\.\d+\.|https?:)"##,
            r"/etc/\w*[?*\[]",
            r"/\?{2,4}/",
            r"/bi?\[",
        ],
    ),
    (
        Path,
        "./\\\x000",
        "",
        &[
            r"(?:\.\.[/\\]+(?:\.[/\\]+)*){2}",
            r"\.\.;/",
            r"\.{3,4}[/\\]+\.{3,4}[/\\]",
            r"\.\.(?:\xc0\xaf|%c0%af|0x2f|0x5c)",
            r"(?:0x2e){2}",
            r"\x00\.?\w{0,4}$",
            r"/etc/+(?:group|hosts|hostname|issue|crontab|fstab)\b",
            r"/proc/+(?:self|version|cmdline|\d+)\b",
            r"\b[a-z]:[/\\]+(?:windows|winnt)[/\\]+(?:system\.ini|repair|debug)\b",
            r"\bwindows[/\\]+system32\b",
            r"(?:^|/)\.(?:git/config|env|aws/credentials|ssh/id_\w+)$",
        ],
    ),
    (
        Script,
        "<'\"(:",
        "",
        &[
            r"<\W*script\b",
            r"<(?:iframe|frameset|object|embed|applet|svg|math|meta|bgsound|layer|isindex)[\s/>:][^>]*(?:[=>]|$)",
            r"<(?:base|xml|import|set|animate)\s[^>]*=",
            r"<style[\s/>]",
            r##"['"]\s*on(?:error|load|click|focus|blur|mouse\w+|key\w+|toggle|begin|change|submit|pointer\w+|animation\w+)\s*="##,
            r##"\bon(?:error|load|focus|click|mouseover)\s*=\s*['"]?\w+\s*[(`]"##,
            r"\b(?:java|vb)script\s*(?::|&colon;)\s*\W*\w+\s*[(.`]",
            r"data:text/html",
            r"string\.fromcharcode\s*\(",
            r"\(!\[\]\+\[\]\)\[",
            r"\b(?:self|window|top|parent|globalthis|frames)\s*\[[^\]]{1,40}\]\s*\(",
            r"\xef\xbc\x9cscript",
        ],
    ),
    (
        Script,
        "<",
        r##"<[a-z?][^>]*[\s/"']"##,
        &[
            r"on\w+\s*=",
            r"style\s*=[^>]*(?:expression|behaviou?r|-moz-binding|javascript)",
            r##"(?:href|src|action|formaction|data|to|from|xlink:href|background|dynsrc|lowsrc)\s*=\s*['"\s]*(?:data:text|mhtml:)"##,
            // href=j&Tab;avascript:
            r##"[\w:]+\s*=\s*['"\s]*(?:j\W*a\W*v\W*a|v\W*b|live)\W*s\W*c\W*r\W*i\W*p\W*t"##,
        ],
    ),
    (
        ForgedLine,
        "\r\n",
        r"[\r\n]",
        &[
            r"\s*(?:set-cookie|location|content-length|content-type|x-[\w-]+)\s*:",
            r"http/1\.",
            r"(?:mail\s+from|rcpt\s+to)\s*:",
            r"\W?(?:\w+ )?(?:error|warn(?:ing)?|info|debug|fatal|critical)\]?\s*:",
            r"\W?\d{4}-\d\d-\d\d[t ]\d\d:\d\d",
        ],
    ),
    (
        Expression,
        "",
        "",
        &[
            r"\$\{(?:env|sys|java|ctx|main|bundle):[\w.-]+(?::-[^}]*)?\}",
            r"\bjava\.lang\.(?:runtime|processbuilder)\b",
            r"\bjavax\.script\.",
            r"<\?(?:php\b|=)",
            r"\$_(?:get|post|request|server|cookie|session|files|env)\s*\[",
            r"\bphpinfo\s*\(",
            // An object of Java in base64.
            r"^ro0ab[qx][\w+/]{20}",
            r##"\$where\b["'\]]?\s*[:=]"##,
        ],
    ),
];

/// What is named in an object that runs something while it is read: functions in a pickle of Python (its `GLOBAL` and `STACK_GLOBAL`
/// operators, pickletools), classes of Java and .NET that deserialize into calls (ysoserial and ysoserial.net list them).
pub(super) static OBJECT_CODE: LazyLock<Regex> = LazyLock::new(|| {
    const MODULES: &str = "os|posix|nt|subprocess|builtins|__builtin__|commands|pty";
    const FUNCTIONS: &str = "system|popen|call|check_output|run|spawn|eval|exec|compile|getattr|__import__";
    let pickle = format!(r"(?:{MODULES})(?:\n|\x94?\x8c.)(?:{FUNCTIONS})\b");
    let classes = [
        pickle.as_str(),
        r"org\.apache\.(?:commons\.(?:collections\d?\.functors|beanutils\.beancomparator)|xalan)",
        r"com\.sun\.(?:rowset|org\.apache)|java\.lang\.(?:runtime|processbuilder)\b|java\.net\.url\b|java\.rmi\.server",
        r"javax\.management\.badattributevalueexp|sun\.reflect\.annotation|org\.codehaus\.groovy\.runtime",
        r"org\.(?:springframework\.(?:beans\.factory|aop)|hibernate\.(?:engine|tuple)|mozilla\.javascript)|com\.mchange\.v2",
        r"system\.(?:diagnostics\.process|windows\.data|management\.automation|workflow\.componentmodel)",
        r"objectdataprovider|delegateserializationholder|windowsidentity",
    ];
    compiled(&classes.join("|"))
});

/// One of the patterns, to be searched for.
pub(super) struct Pattern {
    pub kind: Injection,
    needs: Option<ByteSet>,
    regex: Regex,
}

impl Pattern {
    /// Whether it is in a value of which the bytes are known.
    pub fn is_in(&self, value: &[u8], bytes: &ByteSet) -> bool {
        self.needs.as_ref().is_none_or(|needs| needs.meets(bytes)) && self.regex.is_match(value)
    }
}

/// Which bytes occur.
#[derive(Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub fn of(text: &[u8]) -> ByteSet {
        let mut set = ByteSet::default();
        text.iter().for_each(|byte| set.0[usize::from(byte >> 6)] |= 1 << (byte & 63)); // of four words
        set
    }

    fn meets(&self, other: &ByteSet) -> bool {
        self.0.iter().zip(&other.0).any(|(mine, theirs)| mine & theirs != 0)
    }
}

/// The lists compiled, each pattern for itself: one automaton of all grows without end at random input, and then is slow.
pub(super) static PATTERNS: LazyLock<[Vec<Pattern>; 3]> = LazyLock::new(|| {
    [IN_TEXTS, IN_VALUES, IN_HEADS].map(|list| {
        let patterns = list.iter().map(|(kind, needs, first, follows)| Pattern {
            kind: *kind,
            needs: (!needs.is_empty()).then(|| ByteSet::of(needs.as_bytes())),
            regex: compiled(&format!("{first}(?:{})", follows.join("|"))),
        });
        patterns.collect()
    })
});

pub(super) fn compiled(pattern: &str) -> Regex {
    let regex = RegexBuilder::new(pattern).case_insensitive(true).unicode(false).dot_matches_new_line(true).build();
    regex.expect("patterns are constants, and a test compiles them")
}
