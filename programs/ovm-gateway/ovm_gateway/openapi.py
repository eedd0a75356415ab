# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of the REST interface, as OpenAPI 3.1: made of the resources and of what shapes makes."""

from ansible_collections.ovm.messaging.plugins.module_utils.channel import layout
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION

from .access import COOKIE
from .errors import CODES
from .shapes import COMMON, UNKNOWN_OF_VM

#: Where it is, below the interface's base. As all of it, for those who are logged in.
PATH = "/openapi.json"
_ABOUT = """As much of Oracle VM Manager's REST interface as messages between virtual machines and their manager need.

JSON only. A resource that has GET has HEAD as well. Times are milliseconds since 1970. Bytes that are not UTF-8 are
lone surrogates, `\\udc80` to `\\udcff`, both ways."""
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}
_NULL = {"type": "null"}
_FLAG = {"type": "boolean"}


def describe(resources, base):
    """The whole description.

    :param resources: of Resource.
    :param str base: what the paths start with.
    :returns: a dict for JSON.
    """
    paths = {}
    for resource in resources:
        paths.setdefault(resource.path, {})[resource.method.lower()] = _operation(resource)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ovm-gateway",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": base}],
        "security": [{"password": []}, {"session": []}, {"certificate": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "of the answer to an earlier request with a password",
                },
                "certificate": {"type": "mutualTLS", "description": "made out to the user's name"},
            },
        },
    }


def schemas():
    """What requests and answers consist of.

    :returns: JSON schemas, by name.
    """
    simple_id = _reference("SimpleId")
    message = {
        # Counted in bytes as UTF-8, which no schema can say.
        "key": dict(_sent(1, layout.KEY_LIMIT_TO_GUEST), description="of 1 to %d bytes" % layout.KEY_LIMIT_TO_GUEST),
        "value": dict(_sent(0, layout.VALUE_LIMIT), description="of up to %d bytes" % layout.VALUE_LIMIT),
    }
    state = {"type": "string", "enum": ["RUNNING", "SUCCESS", "FAILURE"]}
    address = {
        "address": _TEXT,
        "netmask": dict(_TEXT, description="of an IPv6 address, the length of its prefix"),
        "configType": _NULL,
        "type": {"type": "string", "enum": ["IPV4", "IPV6"]},
    }
    return {
        "SimpleId": _members(type=_TEXT, value=_TEXT, uri=_TEXT, name=_or_null(_TEXT)),
        "Manager": _object(
            managerUuid=_TEXT,
            managerVersion=_TEXT,
            managerRunState={"type": "string", "enum": ["STARTING", "RUNNING"]},
            managerTime=_WHOLE,
        ),
        "Vm": _object(
            vmRunState={"type": "string", "enum": ["RUNNING", "STOPPED"]},
            currentDomainId=_or_null(_WHOLE),
            vmApiVersion=dict(_or_null(_TEXT), description="of what reports in the guest"),
            virtualNicIds=_list(simple_id),
            vmDiskMappingIds=_list(simple_id),
            vmCloneDefinitionIds=_list(simple_id),
            affinityGroupIds=_list(simple_id),
            messagesWaiting=dict(_or_null(_WHOLE), description="which the guest has not taken yet; null in a list"),
            **dict.fromkeys(UNKNOWN_OF_VM, _NULL),
        ),
        "VirtualNic": _object(
            macAddress=_or_null(_TEXT), vmId=simple_id, networkId=_NULL, ipAddresses=_list(_members(**address))
        ),
        "Message": _members(key=_TEXT, value=_TEXT, time=_WHOLE),
        "Messages": dict(_list(_members(**message)), minItems=1),
        "Job": _object(
            resultId=simple_id,
            jobRunState=state,
            jobSummaryState=state,
            done=_FLAG,
            summaryDone=_FLAG,
            jobGroup=_FLAG,
            error=_or_null(_members(message=_TEXT, type=_TEXT)),
            progressMessage=_TEXT,
            latestSummaryProgressMessage=_TEXT,
            extraInfo=_NULL,
            parentJobId=_NULL,
            childJobIds=_list(simple_id),
            user=_or_null(_TEXT),
            abortedByUser=_NULL,
            startTime=_WHOLE,
            endTime=_or_null(_WHOLE),
        ),
        "Event": _object(
            acknowledgeable=_FLAG,
            acknowledged=_FLAG,
            associatedObjectId=_or_null(simple_id),
            createTime=_WHOLE,
            modifyTime=_WHOLE,
            eventSeverity={"type": "string", "enum": ["INFORMATIONAL", "WARNING", "CRITICAL"]},
            eventType=_TEXT,
            summary=_TEXT,
        ),
        "Text": _TEXT,
        "Description": {"type": "object", "required": ["openapi", "info", "paths"]},
        "Error": _members(
            message=_TEXT,
            errorCode={"type": "string", "enum": sorted({code[1] for code in CODES.values()})},
            cause=_NULL,
            wsErrorCode={"type": "string", "enum": sorted({code[2] for code in CODES.values()})},
        ),
    }


def _operation(resource):
    result = {
        "summary": resource.summary,
        "operationId": (resource.method.lower() + resource.path.replace("{id}", "one")).replace("/", "_"),
        "parameters": [],
        "responses": {},
    }
    if resource.identity:
        result["parameters"].append({"name": "id", "in": "path", "required": True, "schema": resource.identity.schema})
    for argument in resource.query:
        result["parameters"].append(
            {"name": argument.name, "in": "query", "description": argument.summary, "schema": argument.schema}
        )
    if resource.takes:
        result["requestBody"] = {"required": True, "content": _json(_reference(resource.takes))}
    if resource.gives:
        listed = isinstance(resource.gives, list)
        schema = _list(_reference(resource.gives[0])) if listed else _reference(resource.gives)
        content = _json(schema)
        if resource.plain:
            content["text/plain"] = {"schema": _TEXT}
        result["responses"]["200"] = {"description": resource.summary, "content": content}
    reasons = {}
    for kind in resource.refusals:
        status, code, _name, when = CODES[kind]
        reasons.setdefault(str(status), {})["%s: %s" % (code, when)] = True
    for status in sorted(reasons):
        result["responses"][status] = {
            "description": "; ".join(reasons[status]),
            "content": _json(_reference("Error")),
        }
    return result


def _reference(name):
    return {"$ref": "#/components/schemas/" + name}


def _json(schema):
    return {"application/json": {"schema": schema}}


def _list(items):
    return {"type": "array", "items": items}


def _or_null(schema):
    return {"anyOf": [schema, _NULL]}


def _sent(shortest, longest):
    return {"type": "string", "minLength": shortest, "maxLength": longest, "pattern": "^[^\\u0000]*$"}


def _members(**members):
    """An object that has all of these members, and no others."""
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _object(**members):
    """One of the manager's objects: with what all of them have."""
    common = {name: _common(value) for name, value in COMMON.items()}
    return _members(id=_reference("SimpleId"), name=_TEXT, **dict(common, **members))


def _common(value):
    if isinstance(value, bool):
        return _FLAG
    if isinstance(value, list):
        return {"type": "array", "maxItems": 0}
    return _WHOLE if isinstance(value, int) else _or_null(_TEXT)
