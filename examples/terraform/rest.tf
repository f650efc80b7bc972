resource "aws_api_gateway_rest_api" "projects" {
  name = "keyscope-example-projects"
  # For usage plans: the authorizer names the API Gateway key that each request counts against.
  api_key_source = "AUTHORIZER"

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_authorizer" "keyscope" {
  name                             = "Keyscope"
  rest_api_id                      = aws_api_gateway_rest_api.projects.id
  type                             = "REQUEST"
  authorizer_uri                   = "${local.functions_uri}/${local.authorizers["Rest"]}/invocations"
  identity_source                  = "method.request.header.Authorization"
  authorizer_result_ttl_in_seconds = local.authorizer_ttl
}

resource "aws_lambda_permission" "rest_authorizer" {
  action = "lambda:InvokeFunction"
  # The export is an alias: its ARN ends with the qualifier, which this resource takes separately.
  function_name = join(":", slice(split(":", local.authorizers["Rest"]), 0, 7))
  qualifier     = split(":", local.authorizers["Rest"])[7]
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.apis_arn}:${aws_api_gateway_rest_api.projects.id}/authorizers/*"
}

resource "aws_api_gateway_resource" "tenants" {
  rest_api_id = aws_api_gateway_rest_api.projects.id
  parent_id   = aws_api_gateway_rest_api.projects.root_resource_id
  path_part   = "tenants"
}

resource "aws_api_gateway_resource" "tenants_paths" {
  rest_api_id = aws_api_gateway_rest_api.projects.id
  parent_id   = aws_api_gateway_resource.tenants.id
  path_part   = "{proxy+}"
}

resource "aws_api_gateway_method" "tenants" {
  rest_api_id   = aws_api_gateway_rest_api.projects.id
  resource_id   = aws_api_gateway_resource.tenants_paths.id
  http_method   = "ANY"
  authorization = "CUSTOM"
  authorizer_id = aws_api_gateway_authorizer.keyscope.id
}

resource "aws_api_gateway_integration" "tenants" {
  rest_api_id             = aws_api_gateway_rest_api.projects.id
  resource_id             = aws_api_gateway_resource.tenants_paths.id
  http_method             = aws_api_gateway_method.tenants.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.projects.invoke_arn
}

resource "aws_lambda_permission" "rest_projects" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.projects.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.projects.execution_arn}/*"
}

locals {
  internal_error = { status = "500", code = "internal_error", title = "The request could not be authorized. Try again later" }

  answers = {
    UNAUTHORIZED                   = { status = "401", code = "unauthorized", title = "Authorization is required" }
    ACCESS_DENIED                  = { status = "403", code = "forbidden", title = "The credential is not allowed to access this resource" }
    AUTHORIZER_FAILURE             = local.internal_error
    AUTHORIZER_CONFIGURATION_ERROR = local.internal_error
  }
}

resource "aws_api_gateway_gateway_response" "answer" {
  for_each      = local.answers
  rest_api_id   = aws_api_gateway_rest_api.projects.id
  response_type = each.key
  status_code   = each.value.status

  response_templates = {
    "application/json" = jsonencode({ errors = [{ code = each.value.code, title = each.value.title }] })
  }

  # Lets pages of any origin read error responses. Use your own origin instead.
  response_parameters = merge(
    { "gatewayresponse.header.Access-Control-Allow-Origin" = "'*'" },
    each.key != "UNAUTHORIZED" ? {} : {
      "gatewayresponse.header.WWW-Authenticate" = "'Basic realm=\"projects\", charset=\"UTF-8\", Bearer realm=\"projects\"'"
    }
  )
}

# A deployment is a copy of the API, so it depends on everything that it copies.
resource "aws_api_gateway_deployment" "projects" {
  rest_api_id = aws_api_gateway_rest_api.projects.id

  triggers = {
    configuration = filesha256("${path.module}/rest.tf")
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_api_gateway_integration.tenants, aws_api_gateway_gateway_response.answer]
}

resource "aws_api_gateway_stage" "prod" {
  rest_api_id   = aws_api_gateway_rest_api.projects.id
  deployment_id = aws_api_gateway_deployment.projects.id
  stage_name    = "prod"
}

output "rest_url" {
  value = aws_api_gateway_stage.prod.invoke_url
}
