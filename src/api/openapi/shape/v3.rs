//! The objects of OpenAPI 3.0, 3.1 and 3.2, as their specifications list them.

use super::v2::{EXTERNAL_DOCS, INFO, TAG};
use super::{Edition, Field as F, Kind as K, Others, Shape, rules};

const V31: Edition = Edition::V31;
const V32: Edition = Edition::V32;

const TEXTS: K = K::List(&K::Text);
const REQUIREMENTS: K = K::List(&K::Map(&TEXTS));

pub(super) static ROOT: Shape = Shape {
    name: "OpenAPI object",
    fields: &[
        F::required("openapi", K::Any),
        F::required("info", K::Object(&INFO)),
        F::required_until_30("paths", K::Object(&PATHS)),
        F::optional("servers", K::List(&K::Object(&SERVER))),
        F::optional("components", K::Object(&COMPONENTS)),
        F::optional("security", REQUIREMENTS),
        F::optional("tags", K::List(&K::Object(&TAG))),
        F::optional("externalDocs", K::Object(&EXTERNAL_DOCS)),
        F::since(V31, "webhooks", K::Map(&K::RefOr(&PATH_ITEM))),
        F::since(V31, "jsonSchemaDialect", K::Url),
        F::since(V32, "$self", K::Url),
    ],
    others: Others::Refused,
    rule: Some(rules::document),
};

static SERVER: Shape = Shape {
    name: "server object",
    fields: &[
        F::required("url", K::Text),
        F::optional("description", K::Text),
        F::optional("variables", K::Map(&K::Object(&SERVER_VARIABLE))),
        F::since(V32, "name", K::Text),
    ],
    others: Others::Refused,
    rule: Some(rules::server),
};

static SERVER_VARIABLE: Shape = Shape {
    name: "server variable",
    fields: &[F::required("default", K::Text), F::optional("enum", TEXTS), F::optional("description", K::Text)],
    others: Others::Refused,
    rule: Some(rules::server_variable),
};

static COMPONENTS: Shape = Shape {
    name: "components object",
    fields: &[
        F::optional("schemas", K::Named(&SCHEMA)),
        F::optional("responses", K::Named(&K::RefOr(&RESPONSE))),
        F::optional("parameters", K::Named(&K::RefOr(&PARAMETER))),
        F::optional("examples", K::Named(&K::RefOr(&EXAMPLE))),
        F::optional("requestBodies", K::Named(&K::RefOr(&REQUEST_BODY))),
        F::optional("headers", K::Named(&K::RefOr(&HEADER))),
        F::optional("securitySchemes", K::Named(&K::RefOr(&SECURITY_SCHEME))),
        F::optional("links", K::Named(&K::RefOr(&LINK))),
        F::optional("callbacks", K::Named(&K::Map(&K::Any))),
        F::since(V31, "pathItems", K::Named(&K::RefOr(&PATH_ITEM))),
        F::since(V32, "mediaTypes", K::Named(&K::RefOr(&MEDIA_TYPE))),
    ],
    others: Others::Refused,
    rule: None,
};

static PATHS: Shape = Shape { name: "paths object", fields: &[], others: Others::Paths(&PATH_ITEM), rule: None };

static PATH_ITEM: Shape = Shape {
    name: "path item",
    fields: &[
        F::optional("$ref", K::Text),
        F::optional("summary", K::Text),
        F::optional("description", K::Text),
        F::optional("get", K::Object(&OPERATION)),
        F::optional("put", K::Object(&OPERATION)),
        F::optional("post", K::Object(&OPERATION)),
        F::optional("delete", K::Object(&OPERATION)),
        F::optional("options", K::Object(&OPERATION)),
        F::optional("head", K::Object(&OPERATION)),
        F::optional("patch", K::Object(&OPERATION)),
        F::optional("trace", K::Object(&OPERATION)),
        F::since(V32, "query", K::Object(&OPERATION)),
        F::since(V32, "additionalOperations", K::Map(&K::Object(&OPERATION))),
        F::optional("servers", K::List(&K::Object(&SERVER))),
        F::optional("parameters", K::List(&K::RefOr(&PARAMETER))),
    ],
    others: Others::Refused,
    rule: None,
};

static OPERATION: Shape = Shape {
    name: "operation",
    fields: &[
        F::required_until_30("responses", K::Object(&RESPONSES)),
        F::optional("tags", TEXTS),
        F::optional("summary", K::Text),
        F::optional("description", K::Text),
        F::optional("externalDocs", K::Object(&EXTERNAL_DOCS)),
        F::optional("operationId", K::Text),
        F::optional("parameters", K::List(&K::RefOr(&PARAMETER))),
        F::optional("requestBody", K::RefOr(&REQUEST_BODY)),
        F::optional("callbacks", K::Map(&K::Map(&K::Any))),
        F::optional("deprecated", K::Bool),
        F::optional("security", REQUIREMENTS),
        F::optional("servers", K::List(&K::Object(&SERVER))),
    ],
    others: Others::Refused,
    rule: None,
};

const LOCATIONS: K = K::OneOf(&["query", "header", "path", "cookie", "querystring"]);

static PARAMETER: Shape = Shape {
    name: "parameter",
    fields: &[
        F::required("name", K::Text),
        F::required("in", LOCATIONS),
        F::optional("description", K::Text),
        F::optional("required", K::Bool),
        F::optional("deprecated", K::Bool),
        F::optional("allowEmptyValue", K::Bool),
        F::optional("style", K::Text),
        F::optional("explode", K::Bool),
        F::optional("allowReserved", K::Bool),
        F::optional("schema", SCHEMA),
        F::optional("example", K::Any),
        F::optional("examples", K::Map(&K::RefOr(&EXAMPLE))),
        F::optional("content", K::Map(&K::RefOr(&MEDIA_TYPE))),
    ],
    others: Others::Refused,
    rule: Some(rules::parameter),
};

static HEADER: Shape = Shape {
    name: "header object",
    fields: &[
        F::optional("description", K::Text),
        F::optional("required", K::Bool),
        F::optional("deprecated", K::Bool),
        F::optional("allowEmptyValue", K::Bool),
        F::optional("style", K::Text),
        F::optional("explode", K::Bool),
        F::optional("allowReserved", K::Bool),
        F::optional("schema", SCHEMA),
        F::optional("example", K::Any),
        F::optional("examples", K::Map(&K::RefOr(&EXAMPLE))),
        F::optional("content", K::Map(&K::RefOr(&MEDIA_TYPE))),
    ],
    others: Others::Refused,
    rule: Some(rules::schema_or_content),
};

static REQUEST_BODY: Shape = Shape {
    name: "request body",
    fields: &[
        F::required("content", K::Map(&K::RefOr(&MEDIA_TYPE))),
        F::optional("description", K::Text),
        F::optional("required", K::Bool),
    ],
    others: Others::Refused,
    rule: None,
};

static MEDIA_TYPE: Shape = Shape {
    name: "media type object",
    fields: &[
        F::optional("schema", SCHEMA),
        F::optional("example", K::Any),
        F::optional("examples", K::Map(&K::RefOr(&EXAMPLE))),
        F::optional("encoding", K::Map(&K::Object(&ENCODING))),
        F::since(V32, "itemSchema", SCHEMA),
        F::since(V32, "prefixEncoding", K::List(&K::Object(&ENCODING))),
        F::since(V32, "itemEncoding", K::Object(&ENCODING)),
    ],
    others: Others::Refused,
    rule: None,
};

static ENCODING: Shape = Shape {
    name: "encoding object",
    fields: &[
        F::optional("contentType", K::Text),
        F::optional("headers", K::Map(&K::RefOr(&HEADER))),
        F::optional("style", K::Text),
        F::optional("explode", K::Bool),
        F::optional("allowReserved", K::Bool),
        F::since(V32, "encoding", K::Map(&K::Object(&ENCODING))),
        F::since(V32, "prefixEncoding", K::List(&K::Object(&ENCODING))),
        F::since(V32, "itemEncoding", K::Object(&ENCODING)),
    ],
    others: Others::Refused,
    rule: None,
};

static RESPONSES: Shape =
    Shape { name: "responses object", fields: &[], others: Others::Statuses(&RESPONSE), rule: Some(rules::responses) };

/// From 3.2 a description is optional; before, a response without one is the most frequent fault of all.
static RESPONSE: Shape = Shape {
    name: "response",
    fields: &[
        F::optional("description", K::Text),
        F::optional("headers", K::Map(&K::RefOr(&HEADER))),
        F::optional("content", K::Map(&K::RefOr(&MEDIA_TYPE))),
        F::optional("links", K::Map(&K::RefOr(&LINK))),
        F::since(V32, "summary", K::Text),
    ],
    others: Others::Refused,
    rule: Some(rules::response),
};

static EXAMPLE: Shape = Shape {
    name: "example object",
    fields: &[
        F::optional("summary", K::Text),
        F::optional("description", K::Text),
        F::optional("value", K::Any),
        F::optional("externalValue", K::Url),
        F::since(V32, "dataValue", K::Any),
        F::since(V32, "serializedValue", K::Text),
    ],
    others: Others::Refused,
    rule: None,
};

static LINK: Shape = Shape {
    name: "link object",
    fields: &[
        F::optional("operationRef", K::Text),
        F::optional("operationId", K::Text),
        F::optional("parameters", K::Map(&K::Any)),
        F::optional("requestBody", K::Any),
        F::optional("description", K::Text),
        F::optional("server", K::Object(&SERVER)),
    ],
    others: Others::Refused,
    rule: None,
};

static SECURITY_SCHEME: Shape = Shape {
    name: "security scheme",
    fields: &[
        F::required("type", K::OneOf(&["apiKey", "http", "oauth2", "openIdConnect", "mutualTLS"])),
        F::optional("description", K::Text),
        F::optional("name", K::Text),
        F::optional("in", K::OneOf(&["query", "header", "cookie"])),
        F::optional("scheme", K::Text),
        F::optional("bearerFormat", K::Text),
        F::optional("flows", K::Object(&FLOWS)),
        F::optional("openIdConnectUrl", K::Url),
        F::since(V32, "oauth2MetadataUrl", K::Url),
        F::since(V32, "deprecated", K::Bool),
    ],
    others: Others::Refused,
    rule: Some(rules::security_scheme),
};

static FLOWS: Shape = Shape {
    name: "OAuth flows object",
    fields: &[
        F::optional("implicit", K::Object(&FLOW)),
        F::optional("password", K::Object(&FLOW)),
        F::optional("clientCredentials", K::Object(&FLOW)),
        F::optional("authorizationCode", K::Object(&FLOW)),
        F::since(V32, "deviceAuthorization", K::Object(&FLOW)),
    ],
    others: Others::Refused,
    rule: Some(rules::flows),
};

static FLOW: Shape = Shape {
    name: "OAuth flow object",
    fields: &[
        F::required("scopes", K::Map(&K::Text)),
        F::optional("authorizationUrl", K::Url),
        F::optional("tokenUrl", K::Url),
        F::optional("refreshUrl", K::Url),
        F::since(V32, "deviceAuthorizationUrl", K::Url),
    ],
    others: Others::Refused,
    rule: None,
};

/// 3.0 has the schemas of 2.0 with a few more keywords; from 3.1 they are JSON Schema, where `true` is one too.
const SCHEMA: K = K::Schema;

pub(super) static SCHEMA_30: Shape = Shape {
    name: "schema",
    fields: &[
        F::optional("$ref", K::Text),
        F::optional("title", K::Text),
        F::optional("description", K::Text),
        F::optional("deprecated", K::Bool),
        F::optional("nullable", K::Bool),
        F::optional("readOnly", K::Bool),
        F::optional("writeOnly", K::Bool),
        F::optional("uniqueItems", K::Bool),
        F::optional("required", TEXTS),
        F::optional("enum", K::List(&K::Any)),
        F::optional("properties", K::Map(&SCHEMA)),
        F::optional("additionalProperties", K::BoolOr(&SCHEMA)),
        F::optional("allOf", K::List(&SCHEMA)),
        F::optional("oneOf", K::List(&SCHEMA)),
        F::optional("anyOf", K::List(&SCHEMA)),
        F::optional("not", SCHEMA),
        F::optional("items", SCHEMA),
        F::optional("format", K::Text),
        F::optional("pattern", K::Pattern),
        F::optional("type", K::OneOf(&["array", "boolean", "integer", "number", "object", "string"])),
        F::optional("multipleOf", K::Number),
        F::optional("maxLength", K::Number),
        F::optional("minLength", K::Number),
        F::optional("exclusiveMaximum", K::Bool),
        F::optional("exclusiveMinimum", K::Bool),
    ],
    others: Others::Ignored,
    rule: None,
};

/// JSON Schema 2020-12: `type` may be a list, and a schema may be `true` or `false`.
pub(super) static SCHEMA_31: Shape = Shape {
    name: "schema",
    fields: &[
        F::optional("$ref", K::Text),
        F::optional("title", K::Text),
        F::optional("description", K::Text),
        F::optional("deprecated", K::Bool),
        F::optional("readOnly", K::Bool),
        F::optional("writeOnly", K::Bool),
        F::optional("required", TEXTS),
        F::optional("enum", K::List(&K::Any)),
        F::optional("properties", K::Map(&SCHEMA)),
        F::optional("additionalProperties", SCHEMA),
        F::optional("allOf", K::List(&SCHEMA)),
        F::optional("oneOf", K::List(&SCHEMA)),
        F::optional("anyOf", K::List(&SCHEMA)),
        F::optional("not", SCHEMA),
        F::optional("items", SCHEMA),
        F::optional("format", K::Text),
        F::optional("pattern", K::Pattern),
    ],
    others: Others::Ignored,
    rule: None,
};
