# A plan of the Kafka failover controller: put, changed and removed with this configuration. No provider but AWS's.
# What it invokes is the controller's function deploy_plan (docs/declared-plans.md), which takes this input and no other.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.1" # lifecycle_scope
    }
  }
}

variable "plan_file" {
  type        = string
  description = "The plan, in YAML; its name is its key, so a plan of another name is another module."
}

variable "function_name" {
  type        = string
  description = "The controller's output DeployPlanArn."
}

variable "qualifier" {
  type        = string
  default     = "$LATEST"
  description = "The alias of that function which the plan's operators name, where there is one for each team."
}

variable "origin" {
  type        = string
  description = "What names this configuration among all that declare plans, such as terraform/kafka-plans."
}

resource "aws_lambda_invocation" "plan" {
  function_name   = var.function_name
  qualifier       = var.qualifier
  lifecycle_scope = "CRUD"
  terraform_key   = "tf"

  input = jsonencode({
    document = file(var.plan_file)
    origin   = var.origin
  })
}

output "revision" {
  description = "The revision of the plan that is in force."
  value       = jsondecode(aws_lambda_invocation.plan.result).revision
}
