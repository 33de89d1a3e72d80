//! The objects of OpenAPI 2.0 ("Swagger"), as its specification lists them.

use super::{Field as F, Kind as K, Others, Shape, rules};

const TEXTS: K = K::List(&K::Text);
const REQUIREMENTS: K = K::List(&K::Map(&TEXTS));
const SCHEMES: K = K::List(&K::OneOf(&["http", "https", "ws", "wss"]));

pub(super) static ROOT: Shape = Shape {
    name: "Swagger object",
    fields: &[
        F::required("swagger", K::Any),
        F::required("info", K::Object(&INFO)),
        F::required("paths", K::Object(&PATHS)),
        F::optional("host", K::Text),
        F::optional("basePath", K::Text),
        F::optional("schemes", SCHEMES),
        F::optional("consumes", TEXTS),
        F::optional("produces", TEXTS),
        F::optional("definitions", K::Map(&K::Object(&SCHEMA))),
        F::optional("parameters", K::Map(&K::Object(&PARAMETER))),
        F::optional("responses", K::Map(&K::Object(&RESPONSE))),
        F::optional("securityDefinitions", K::Map(&K::Object(&SECURITY_SCHEME))),
        F::optional("security", REQUIREMENTS),
        F::optional("tags", K::List(&K::Object(&TAG))),
        F::optional("externalDocs", K::Object(&EXTERNAL_DOCS)),
    ],
    others: Others::Refused,
    rule: Some(rules::swagger),
};

pub(super) static INFO: Shape = Shape {
    name: "info object",
    fields: &[
        F::required("title", K::Text),
        F::required("version", K::Text),
        F::since(super::Edition::V31, "summary", K::Text),
        F::optional("description", K::Text),
        F::optional("termsOfService", K::Url),
        F::optional("contact", K::Object(&CONTACT)),
        F::optional("license", K::Object(&LICENSE)),
    ],
    others: Others::Refused,
    rule: None,
};

static CONTACT: Shape = Shape {
    name: "contact object",
    fields: &[F::optional("name", K::Text), F::optional("url", K::Url), F::optional("email", K::Email)],
    others: Others::Refused,
    rule: None,
};

static LICENSE: Shape = Shape {
    name: "license object",
    fields: &[
        F::required("name", K::Text),
        F::optional("url", K::Url),
        F::since(super::Edition::V31, "identifier", K::Text),
    ],
    others: Others::Refused,
    rule: None,
};

pub(super) static EXTERNAL_DOCS: Shape = Shape {
    name: "external documentation object",
    fields: &[F::required("url", K::Url), F::optional("description", K::Text)],
    others: Others::Refused,
    rule: None,
};

pub(super) static TAG: Shape = Shape {
    name: "tag object",
    fields: &[
        F::required("name", K::Text),
        F::optional("description", K::Text),
        F::optional("externalDocs", K::Object(&EXTERNAL_DOCS)),
        F::since(super::Edition::V32, "summary", K::Text),
        F::since(super::Edition::V32, "parent", K::Text),
        F::since(super::Edition::V32, "kind", K::Text),
    ],
    others: Others::Refused,
    rule: None,
};

static PATHS: Shape = Shape { name: "paths object", fields: &[], others: Others::Paths(&PATH_ITEM), rule: None };

static PATH_ITEM: Shape = Shape {
    name: "path item",
    fields: &[
        F::optional("$ref", K::Text),
        F::optional("get", K::Object(&OPERATION)),
        F::optional("put", K::Object(&OPERATION)),
        F::optional("post", K::Object(&OPERATION)),
        F::optional("delete", K::Object(&OPERATION)),
        F::optional("options", K::Object(&OPERATION)),
        F::optional("head", K::Object(&OPERATION)),
        F::optional("patch", K::Object(&OPERATION)),
        F::optional("parameters", K::List(&K::RefOr(&PARAMETER))),
    ],
    others: Others::Refused,
    rule: None,
};

static OPERATION: Shape = Shape {
    name: "operation",
    fields: &[
        F::required("responses", K::Object(&RESPONSES)),
        F::optional("tags", TEXTS),
        F::optional("summary", K::Text),
        F::optional("description", K::Text),
        F::optional("externalDocs", K::Object(&EXTERNAL_DOCS)),
        F::optional("operationId", K::Text),
        F::optional("consumes", TEXTS),
        F::optional("produces", TEXTS),
        F::optional("parameters", K::List(&K::RefOr(&PARAMETER))),
        F::optional("schemes", SCHEMES),
        F::optional("deprecated", K::Bool),
        F::optional("security", REQUIREMENTS),
    ],
    others: Others::Refused,
    rule: None,
};

static RESPONSES: Shape =
    Shape { name: "responses object", fields: &[], others: Others::Statuses(&RESPONSE), rule: Some(rules::responses) };

static RESPONSE: Shape = Shape {
    name: "response",
    fields: &[
        F::required("description", K::Text),
        F::optional("schema", K::Object(&SCHEMA)),
        F::optional("headers", K::Map(&K::Any)),
        F::optional("examples", K::Any),
    ],
    others: Others::Refused,
    rule: None,
};

/// What describes the value of a parameter that is not a body (collections, numbers, patterns) is many fields, none of
/// which matter here.
static PARAMETER: Shape = Shape {
    name: "parameter",
    fields: &[
        F::required("name", K::Text),
        F::required("in", K::OneOf(&["query", "header", "path", "formData", "body"])),
        F::optional("description", K::Text),
        F::optional("required", K::Bool),
        F::optional("schema", K::Object(&SCHEMA)),
        F::optional("type", K::OneOf(&["string", "number", "integer", "boolean", "array", "file"])),
        F::optional("format", K::Text),
    ],
    others: Others::Ignored,
    rule: Some(rules::swagger_parameter),
};

static SECURITY_SCHEME: Shape = Shape {
    name: "security scheme",
    fields: &[
        F::required("type", K::OneOf(&["basic", "apiKey", "oauth2"])),
        F::optional("description", K::Text),
        F::optional("name", K::Text),
        F::optional("in", K::OneOf(&["query", "header"])),
        F::optional("flow", K::OneOf(&["implicit", "password", "application", "accessCode"])),
        F::optional("authorizationUrl", K::Url),
        F::optional("tokenUrl", K::Url),
        F::optional("scopes", K::Map(&K::Text)),
    ],
    others: Others::Refused,
    rule: Some(rules::swagger_security_scheme),
};

const TYPES: K = K::OneOf(&["array", "boolean", "integer", "number", "object", "string", "file", "null"]);

/// JSON Schema as 2.0 and 3.0 have it; unknown keywords are ignored.
pub(super) static SCHEMA: Shape = Shape {
    name: "schema",
    fields: &[
        F::optional("$ref", K::Text),
        F::optional("title", K::Text),
        F::optional("description", K::Text),
        F::optional("deprecated", K::Bool),
        F::optional("nullable", K::Bool),
        F::optional("readOnly", K::Bool),
        F::optional("required", TEXTS),
        F::optional("enum", K::List(&K::Any)),
        F::optional("properties", K::Map(&K::Object(&SCHEMA))),
        F::optional("additionalProperties", K::BoolOr(&K::Object(&SCHEMA))),
        F::optional("allOf", K::List(&K::Object(&SCHEMA))),
        F::optional("format", K::Text),
        F::optional("pattern", K::Pattern),
        F::optional("type", TYPES),
        F::optional("items", K::Object(&SCHEMA)),
    ],
    others: Others::Ignored,
    rule: None,
};
